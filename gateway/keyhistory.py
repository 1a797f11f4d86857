"""Which keys this gateway's log, seals and tokens had, from when to when: the register `key`, and how it grows.

`linkage keys rotate` puts a new key file in place; the gateway takes it up when it next starts, before it serves:
one entry `key.changed` and the register's record, in one transaction, with the statement by which the log's key of
that time says which key follows. From then on

- every gateway on the database lists the new key at /.well-known/jwks.json and takes tokens signed with it,
- one that still holds the earlier log key signs no checkpoint, and the earlier pseudonym key nothing at all,
- whoever knows an earlier verifier key of the log follows the statements at /log/keys to the later ones.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from joserfc.util import urlsafe_b64decode

from gateway.errors import LogUnavailable
from gateway.exchangelog import ExchangeLog
from gateway.identity import LEEWAY, TOKEN_SECONDS
from gateway.keys import KINDS, BadSuccession, Keys, read_succession
from gateway.model import now, timestamp
from gateway.registers import Record, Registers, record_digest
from gateway.store import REGISTERS, PutRegister, Store
from gateway.tlog.note import ED25519, VerifierKey


class KeysOutOfDate(Exception):
    """The key files are not those that the database says are in use, nor do they follow from them."""


async def take_up(store: Store, log: ExchangeLog, keys: Keys, registers: Registers) -> bool:
    """Enters what keys are in use where the registers do not have it yet; whether there was anything.

    Raises KeysOutOfDate, Moved, LogUnavailable.
    """
    moment = now()
    records = [record for kind in KINDS if (record := _taken_up(kind, keys, registers, timestamp(moment))) is not None]
    if not records:
        return False
    await log.ready(moment)
    entry = log.draft(
        "key.changed",
        moment,
        legal={"record_digests": {f"key/{record['id']}": record_digest(record) for record in records}},
        content={"keys": [{"key": record["id"], **key} for record in records for key in _new_in(record, registers)]},
    )
    changes = [PutRegister("key", record["id"], record) for record in records]
    await store.append([entry], changes, {REGISTERS: registers.revision})
    return True


def _taken_up(kind: str, keys: Keys, registers: Registers, time_text: str) -> Record | None:
    """The kind's record with the key in use as its last; None where it is that already."""
    record, kid = registers.record("key", kind), keys.kids[kind]
    if record is None:
        first = {"kid": kid, "public": keys.public(kind), "from": time_text, "succession": None, "version": 1}
        return {"kind": "key", "id": kind, "status": "active", "version": 1, "kid": kid, "keys": [first]}
    if record["kid"] == kid:
        return None
    steps = keys.path_from(kind, record["kid"])
    if steps is None:
        raise KeysOutOfDate(f"the {kind} key in this directory is not the one in use, nor one that follows it")
    log_keys = log_keys_of(registers, keys)
    added = []
    for step in steps:
        try:
            succession = read_succession(step.succession, log_keys)
        except BadSuccession as bad:
            raise KeysOutOfDate(f"{kind}: {bad}") from None
        if (succession.kind, succession.previous) != (kind, step.kid):
            raise KeysOutOfDate(f"the statement about the {kind} key is about another")
        added.append(
            {
                "kid": succession.kid,
                "public": succession.public,
                "from": time_text,
                "succession": step.succession,
                "version": record["version"] + 1,
            }
        )
    return {**record, "version": record["version"] + 1, "kid": kid, "keys": [*record["keys"], *added]}


def _new_in(record: Record, registers: Registers) -> list[dict[str, Any]]:
    known = registers.record("key", record["id"])
    return list(record["keys"][len(known["keys"]) if known else 0 :])


def log_keys_of(registers: Registers, keys: Keys | None = None) -> dict[str, dict[str, Any]]:
    """The log's public keys by their ids, those included that `keys` has statements for."""
    record = registers.record("key", "log")
    found = {key["kid"]: key["public"] for key in (record["keys"] if record else [])}
    if keys is not None:
        found[keys.log["kid"]] = keys.public("log")
        for step in (one for one in keys.retired if one.kind == "log"):
            try:
                succession = read_succession(step.succession, found)
            except BadSuccession:
                continue
            found[succession.kid] = succession.public
    return found


def verifier_keys(origin: str, registers: Registers) -> list[dict[str, Any]]:
    """Every verifier key that the log has had, the first one first; from which entry on; the statement before it."""
    record = registers.record("key", "log")
    return history_of(origin, record) if record is not None else []


def history_of(origin: str, record: Record) -> list[dict[str, Any]]:
    """The log's keys in its record, as `/log/keys` shows them."""
    return [
        {
            "vkey": str(VerifierKey(origin, ED25519, urlsafe_b64decode(key["public"]["x"].encode()))),
            "from_entry": _entered(record, key),
            "succession": key["succession"],
        }
        for key in record["keys"]
    ]


def require_known(keys: Keys, registers: Registers) -> None:
    """LogUnavailable where the registers name a pseudonym key that this gateway does not have: it would count a
    person under a name that no longer counts. With the new key files it starts again.
    """
    record = registers.record("key", "pseudonym")
    if record is not None and keys.path_from("pseudonym", record["kid"]) is None:
        raise LogUnavailable(
            "the pseudonym key was replaced: this gateway must be restarted with the new key files",
            "กุญแจนามแฝงถูกเปลี่ยนแล้ว ต้องเริ่มเกตเวย์นี้ใหม่ด้วยไฟล์กุญแจใหม่",
            retry_after=60,
        )


def signs_checkpoints(keys: Keys, registers: Registers) -> bool:
    """Whether this gateway's log key is the one in use."""
    record = registers.record("key", "log")
    return record is None or record["kid"] == keys.log["kid"]


def log_key_since(registers: Registers) -> int:
    """The entry by which the log's key took the place of another: no checkpoint that covers it has an earlier key's
    signature. 0 for the log's first key.
    """
    record = registers.record("key", "log")
    return _entered(record, record["keys"][-1]) if record and len(record["keys"]) > 1 else 0


def _entered(record: Record, key: Mapping[str, Any]) -> int:
    """The entry that put a key in its record."""
    return int(record["acts"][key["version"] - 1])


def published_jwks(keys: Keys, registers: Registers) -> list[dict[str, Any]]:
    """The JWK set of /.well-known/jwks.json (RFC 7517).

    Sealing keys stay for ever: receipts are checked years later. A token key goes when its last token has expired.
    """
    found: dict[str, dict[str, Any]] = {}
    for kind in ("token", "seal"):
        record = registers.record("key", kind)
        held: list[Mapping[str, Any]] = list(record["keys"]) if record else []
        for key, later in zip(held, [*held[1:], None], strict=False):
            if kind == "seal" or later is None or _since(later) < TOKEN_SECONDS + LEEWAY:
                found[key["kid"]] = dict(key["public"])
    return list({**found, **{key["kid"]: key for key in keys.public_jwks()}}.values())


def _since(key: Mapping[str, Any]) -> float:
    return time.time() - datetime.fromisoformat(key["from"]).timestamp()
