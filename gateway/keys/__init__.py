"""The gateway's secrets and keys: files of their own, outside the database and its backups.

    master.key       wraps the log's monthly keys; steps forward when months are forgotten
    pseudonym.key    32 random bytes: every pseudonym and keyed digest derives from it, a key for each use
    token.jwk        ES256: signs access tokens (RFC 9068)
    seal.jwk         Ed25519: signs answers (RFC 9421), receipts, and what sources are told of an exchange
    log.jwk          Ed25519: signs the log's checkpoints (C2SP signed-note), and says which key follows which
    retired/         what is still needed of keys that others took the place of

Also what clients and operators need of keys: making one, reading one, its public half and its RFC 7638
thumbprint.
"""

from gateway.keys.digests import KeyedDigest
from gateway.keys.files import KeyFileError, write_private
from gateway.keys.jwk import ALGORITHMS, algorithm_of, ed25519, import_key, new_key, public_key, read_key, write_key
from gateway.keys.masters import Master, Masters
from gateway.keys.ring import Keys
from gateway.keys.succession import KINDS, BadSuccession, Succession, read_succession

__all__ = [
    "ALGORITHMS",
    "KINDS",
    "BadSuccession",
    "KeyFileError",
    "KeyedDigest",
    "Keys",
    "Master",
    "Masters",
    "Succession",
    "algorithm_of",
    "ed25519",
    "import_key",
    "new_key",
    "public_key",
    "read_key",
    "read_succession",
    "write_key",
    "write_private",
]
