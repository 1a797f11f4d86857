"""How far what follows the log has come: checkpoints, cosignatures, the search projection."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store import Connection


@dataclass(frozen=True, slots=True)
class Condition:
    """One moment. `size`: entries; `signed`: those under the newest checkpoint; `projected`: those that can be found.

    `signed_at`: when that checkpoint was signed, in seconds since the epoch (0: never). `cosigned`: witness, by its
    key's name and id -> when the newest checkpoint that it cosigned was signed.
    """

    size: int
    signed: int
    signed_at: int
    projected: int
    cosigned: dict[str, int]


def condition_of(connection: Connection) -> Condition:
    """The log's condition, from its database."""
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    (projected,) = connection.rows("SELECT position FROM projected WHERE id = 1")[0]
    newest = connection.rows("SELECT size, signed_at FROM checkpoints ORDER BY size DESC LIMIT 1")
    cosigned = connection.rows(
        "SELECT s.witness, c.signed_at FROM (SELECT witness, MAX(size) AS size FROM cosignatures GROUP BY witness) s "
        "JOIN checkpoints c ON c.size = s.size"
    )
    signed, signed_at = newest[0] if newest else (0, 0)
    return Condition(size, signed, signed_at, projected, dict(cosigned))
