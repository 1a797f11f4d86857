"""Tampering, each done for real on a copy of a gateway's database or of its tiles, and each found by its place.

Where it says so, who tampers holds every key of the gateway; what they lack is the operators' keys, and what
others have seen.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws

from gateway import cli
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.keys import import_key, new_key, read_key
from gateway.model import new_id, now
from gateway.observe import Metrics
from gateway.tlog.note import Note, Signer, parse_note
from gateway.verification.database import verify_database
from gateway.verification.remote import Seen, verify_tiles
from tests.verification.copied_log import CopiedLog

K = 300


def flipped(value: bytes, at: int = 0) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def test_nothing_is_found_where_nothing_was_changed(good_log: CopiedLog) -> None:
    report = good_log.checked()
    assert report.findings == []
    assert report.counts["entries"] == good_log.size
    assert report.counts["tiles"] >= 3
    assert report.counts["signatures"] == report.counts["kind act"] > 20
    kinds = {name.removeprefix("kind "): number for name, number in report.counts.items() if name.startswith("kind ")}
    others = ("exchange.decided", "subject.told", "subject.moved")
    counted = sum(
        number for kind, number in kinds.items() if kind in others or kind.partition(".")[0] == "consent"
    ) - kinds.get("consent.search", 0)
    assert report.counts["counted"] == counted - good_log.one("SELECT COUNT(*) FROM withheld") > 0


def test_one_bit_of_an_entry(copy: CopiedLog) -> None:
    entry = copy.one("SELECT entry FROM log_entries WHERE idx = ?", K)
    copy.run("UPDATE log_entries SET entry = :entry WHERE idx = :k", entry=flipped(entry), k=K)
    assert f"entry {K}" in copy.places()


def test_one_bit_of_a_sealed_secret(copy: CopiedLog) -> None:
    sealed = copy.one("SELECT sealed FROM log_entries WHERE idx = ?", K)
    copy.run("UPDATE log_entries SET sealed = :sealed WHERE idx = :k", sealed=flipped(sealed, 20), k=K)
    assert copy.places()[0] == f"entry {K}"


def test_a_month_that_is_not_its_own(copy: CopiedLog) -> None:
    copy.run("UPDATE log_entries SET month = '2001-01' WHERE idx = :k", k=K)
    assert copy.places()[0] == f"entry {K}"


@pytest.mark.parametrize(("level", "index", "place"), [(0, 1, "entry 258"), (1, 0, "tile 1 0")])
def test_one_bit_of_a_tile(copy: CopiedLog, level: int, index: int, place: str) -> None:
    hashes = copy.one("SELECT hashes FROM log_tiles WHERE level = ? AND idx = ?", level, index)
    at = 2 * 32 if level == 0 else 0
    copy.run(
        "UPDATE log_tiles SET hashes = :hashes WHERE level = :level AND idx = :index",
        hashes=flipped(hashes, at),
        level=level,
        index=index,
    )
    assert copy.places() == [place]


def test_an_entry_deleted(copy: CopiedLog) -> None:
    copy.run("DELETE FROM log_entries WHERE idx = :k", k=K)
    assert copy.places()[0] == f"entry {K}"


def test_an_entry_inserted(copy: CopiedLog) -> None:
    month, sealed, entry = (
        copy.one(f"SELECT {name} FROM log_entries WHERE idx = ?", K - 100) for name in ("month", "sealed", "entry")
    )
    copy.run(
        "UPDATE log_entries SET idx = -idx - 1 WHERE idx >= :k",
        "UPDATE log_entries SET idx = -idx WHERE idx < 0",
        "INSERT INTO log_entries (idx, entry, month, sealed) VALUES (:k, :entry, :month, :sealed)",
        "UPDATE head SET size = size + 1",
        k=K,
        entry=entry,
        month=month,
        sealed=sealed,
    )
    assert f"entry {K}" in copy.places()


def test_two_entries_exchanged(copy: CopiedLog) -> None:
    copy.run(
        "UPDATE log_entries SET idx = -1 WHERE idx = :k",
        "UPDATE log_entries SET idx = :k WHERE idx = :k + 1",
        "UPDATE log_entries SET idx = :k + 1 WHERE idx = -1",
        k=K,
    )
    assert f"entry {K}" in copy.places()


def test_the_tail_cut(copy: CopiedLog) -> None:
    last = copy.latest[1].size
    copy.run("DELETE FROM log_entries WHERE idx >= :size - 5", "UPDATE head SET size = :size - 5", size=copy.size)
    assert f"checkpoint {last}" in copy.places()


def rolled_back(log: CopiedLog, size: int) -> None:
    """Everything as it was at a checkpoint of `size` or a little less: as an old backup would be."""
    (to,) = (log.one("SELECT MAX(size) FROM checkpoints WHERE size <= ?", size),)
    log.run(
        "DELETE FROM log_entries WHERE idx >= :to",
        "DELETE FROM checkpoints WHERE size > :to",
        "DELETE FROM log_tiles WHERE level > 0 OR (idx + 1) * 256 > :to",
        "UPDATE tree SET tiles = (SELECT COUNT(*) FROM log_tiles)",
        "UPDATE head SET size = :to",
        to=to,
    )


def test_the_log_rolled_back_as_far_as_every_copy_goes(good_log: CopiedLog, copy: CopiedLog) -> None:
    seen = good_log.latest[1]
    rolled_back(copy, 400)
    copy.run("DELETE FROM counters", "DELETE FROM open_exchanges")
    assert f"checkpoint {seen.size}" in copy.places(seen)
    report, remembered = verify_tiles(copy.fetch, copy.key, Seen(copy.key, good_log.latest[0]))
    assert [finding.place for finding in report.findings] == [f"checkpoint {seen.size}"]
    assert remembered is None


async def grown(log: CopiedLog, entries: int) -> None:
    """Entries and a checkpoint more, with the gateway's own keys."""
    store, exchange_log = log.log()
    try:
        moment = now()
        await exchange_log.ready(moment)
        await store.append([exchange_log.draft("gateway.started", moment, content={"version": "9"})] * entries)
        assert await Checkpoints(store, log.keys, Metrics(), origin=log.key.name).sign()
    finally:
        store.close()


async def test_two_forks_shown_to_two_auditors(good_log: CopiedLog, tmp_path: Path) -> None:
    one, other = good_log.again(tmp_path / "one.db"), good_log.again(tmp_path / "other.db")
    await grown(one, 3)
    await grown(other, 7)
    first, remembered = verify_tiles(one.fetch, one.key, Seen(one.key, good_log.latest[0]))
    assert first.good
    assert remembered is not None
    second, _ = verify_tiles(other.fetch, other.key, Seen(other.key, good_log.latest[0]))
    assert second.good  # each is well formed by itself
    compared, _ = verify_tiles(other.fetch, other.key, remembered)
    assert [finding.place for finding in compared.findings] == [f"checkpoint {remembered.checkpoint.size}"]
    assert other.places(remembered.checkpoint) == [f"checkpoint {remembered.checkpoint.size}"]


async def test_a_gateway_signs_nothing_over_a_changed_past(copy: CopiedLog) -> None:
    copy.run("UPDATE log_entries SET entry = zeroblob(32) WHERE idx = :last", last=copy.latest[1].size - 1)
    with pytest.raises(Exception, match="no longer the beginning"):
        await grown(copy, 1)


@pytest.mark.parametrize("own_name", [True, False])
def test_a_checkpoint_signed_anew_with_another_key(copy: CopiedLog, own_name: bool) -> None:
    note, checkpoint = copy.latest
    signer = Signer(copy.key.name if own_name else "other.example", Ed25519PrivateKey.generate())
    text = parse_note(note).text
    forged = str(Note(text, (signer.sign(text),)))
    copy.run("UPDATE checkpoints SET note = :note WHERE size = :size", note=forged, size=checkpoint.size)
    assert copy.places() == [f"checkpoint {checkpoint.size}"]


async def decided(log: CopiedLog, kind: str, *, subject: bytes | None = None) -> int:
    """One more entry of an exchange, with the gateway's own keys; its index."""
    store, exchange_log = log.log()
    try:
        moment = now()
        await exchange_log.ready(moment)
        draft = exchange_log.draft(kind, moment, exchange=new_id("ex"), subject={})
        if subject is not None:
            person = type(exchange_log.subject("citizen_id", "x"))(subject)
            draft = exchange_log.draft(
                kind, moment, exchange=new_id("ex"), subject={"pseudonym": person.hex}, counts=person
            )
        return (await store.append([draft])).indexes[0]
    finally:
        store.close()


async def test_a_counter_skipped(copy: CopiedLog) -> None:
    subject = copy.one("SELECT subject FROM counters LIMIT 1")
    copy.run("UPDATE counters SET count = count + 1 WHERE subject = :subject", subject=subject)
    index = await decided(copy, "exchange.decided", subject=subject)
    findings = [finding for finding in copy.checked().findings if "counter is" in finding.what]
    assert [finding.place for finding in findings] == [f"entry {index}"]


async def test_an_entry_hidden_from_a_subjects_chain(copy: CopiedLog) -> None:
    subject = copy.one("SELECT subject FROM counters LIMIT 1")
    copy.run("UPDATE counters SET previous = zeroblob(32) WHERE subject = :subject", subject=subject)
    index = await decided(copy, "exchange.decided", subject=subject)
    assert f"entry {index}" in copy.places()


async def test_an_end_without_a_beginning_and_a_beginning_without_an_end(copy: CopiedLog) -> None:
    released = await decided(copy, "exchange.released")
    opened = await decided(copy, "exchange.decided")
    assert copy.places() == [f"entry {released}", f"entry {opened}", f"entry {opened}"]  # it counts nobody, too
    assert any("names no authority to withhold it" in finding.what for finding in copy.checked().findings)


async def act(log: CopiedLog, payload: dict[str, Any], signed: str, kid: str) -> int:
    store, exchange_log = log.log()
    try:
        moment = now()
        await exchange_log.ready(moment)
        entry = exchange_log.draft(
            "act",
            moment,
            parties={"operator": payload["operator"], "role": "owner", "agency": "dopa"},
            legal={"act": payload["act"], "register": "agreement", "id": "city-a-person"},
            content={"signed": signed, "key_id": kid},
        )
        return (await store.append([entry])).indexes[0]
    finally:
        store.close()


@pytest.mark.parametrize("forgery", ["another key", "no such key", "changed text", "another's name", "none"])
async def test_an_approval_with_a_forged_signature(copy: CopiedLog, world: Any, forgery: str) -> None:
    owner = read_key(world[0].keys / "dopa-owner-2.jwk")
    payload = {"act": "agreement.approve", "body": {"id": "city-a-person", "version": 9}, "operator": "dopa-owner-2"}
    key = owner if forgery in ("changed text", "another's name", "none") else new_key("EdDSA")
    kid = key["kid"] if forgery == "no such key" else owner["kid"]
    header = {"alg": "EdDSA", "kid": kid, "typ": "linkage-act+jwt"}
    signed = jws.serialize_compact(header, orjson.dumps(payload), import_key(key), algorithms=["EdDSA"])
    if forgery == "changed text":
        changed = base64.urlsafe_b64encode(orjson.dumps({**payload, "body": {}})).decode().rstrip("=")
        signed = ".".join([signed.split(".")[0], changed, signed.split(".")[2]])
    if forgery == "another's name":
        payload = {**payload, "operator": "dopa-owner-1"}
    index = await act(copy, payload, signed, kid)
    assert copy.places() == ([] if forgery == "none" else [f"entry {index}"])


# -- the registers ---------------------------------------------------------------------------------------------


def acts_of(log: CopiedLog, kind: str, name: str) -> list[int]:
    return list(orjson.loads(log.one("SELECT body FROM registers WHERE kind = ? AND id = ?", kind, name))["acts"])


def test_a_term_widened_beside_the_log(copy: CopiedLog) -> None:
    copy.run("UPDATE registers SET body = replace(body, '\"life_status\"', '\"last_name\"') WHERE id = 'city-a-person'")
    assert copy.places() == [f"entry {acts_of(copy, 'agreement', 'city-a-person')[-1]}"]


def test_a_record_that_no_act_made(copy: CopiedLog) -> None:
    copy.run(
        "INSERT INTO registers (kind, id, revision, body) SELECT kind, 'city-a-more', revision,"
        " replace(body, 'city-a-person', 'city-a-more') FROM registers WHERE id = 'city-a-person'"
    )
    assert copy.places() == ["register agreement/city-a-more"]


def test_a_record_taken_away(copy: CopiedLog) -> None:
    latest = acts_of(copy, "officer", "city-a-welfare:somsri.j")[-1]
    copy.run("DELETE FROM registers WHERE id = 'city-a-welfare:somsri.j'")
    assert copy.places() == [f"entry {latest}"]


def test_a_record_as_it_was_before_its_last_act(copy: CopiedLog) -> None:
    first, last = acts_of(copy, "connector", "nhso")
    copy.run(f"UPDATE registers SET body = replace(body, '[{first},{last}]', '[{first}]') WHERE id = 'nhso'")
    assert copy.places() == [f"entry {last}"]


def test_one_bit_of_what_a_judgement_rests_on(copy: CopiedLog) -> None:
    body = copy.one("SELECT body FROM judged_facts ORDER BY digest LIMIT ?", 1)
    copy.run("UPDATE judged_facts SET body = :changed WHERE body = :body", changed=flipped(body), body=body)
    places = copy.places()
    assert places
    assert all(place.startswith("entry ") for place in places)


# -- the public tiles ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "at", "place"),
    [
        ("tile/0/001", 5 * 32, "entry 261"),
        ("tile/entries/001", 5 * 34 + 2, "entry 261"),
        ("tile/entries/001", 0, "tile/entries/001"),
    ],
)
def test_one_bit_of_what_is_served(good_log: CopiedLog, path: str, at: int, place: str) -> None:
    def fetch(wanted: str) -> bytes:
        served = good_log.fetch(wanted)
        return flipped(served, at) if wanted == path else served

    report, remembered = verify_tiles(fetch, good_log.key, None)
    assert place in [finding.place for finding in report.findings]
    assert remembered is None


def test_served_entries_and_hashes_changed_together(good_log: CopiedLog) -> None:
    """A log that lies alike in bundle and tile is found by its own checkpoint."""
    from gateway.tlog.merkle import leaf_hash

    def fetch(wanted: str) -> bytes:
        served = good_log.fetch(wanted)
        if wanted == "tile/entries/000":
            return served[:2] + bytes(32) + served[34:]
        return leaf_hash(bytes(32)) + served[32:] if wanted == "tile/0/000" else served

    report, _ = verify_tiles(fetch, good_log.key, None)
    assert f"checkpoint {good_log.latest[1].size}" in [finding.place for finding in report.findings]


def test_a_tile_withheld(good_log: CopiedLog) -> None:
    from gateway.verification.remote import NotServed

    def fetch(wanted: str) -> bytes:
        if wanted == "tile/entries/001":
            raise NotServed("404")
        return good_log.fetch(wanted)

    report, _ = verify_tiles(fetch, good_log.key, None)
    assert [finding.place for finding in report.findings] == ["tile/entries/001"]


# -- the commands ----------------------------------------------------------------------------------------------


def test_log_verify_says_what_it_found(
    copy: CopiedLog, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in world[0].environment.items():
        if name.startswith("LINKAGE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("LINKAGE_DATABASE_URL", copy.url)
    seen = tmp_path / "seen.json"
    assert cli.run(["log", "verify", "--seen", str(seen), "--json"]) == 0
    said = orjson.loads(capsys.readouterr().out)
    assert said["good"]
    assert said["counts"]["entries"] == copy.size
    saved = Seen.read(seen)
    assert saved is not None
    assert saved.checkpoint == copy.latest[1]
    assert cli.run(["log", "verify", "--tree-only"]) == 0
    assert "entries/s" in capsys.readouterr().out
    copy.run("DELETE FROM log_entries WHERE idx = :k", k=K)
    assert cli.run(["log", "verify", "--seen", str(seen)]) == 1
    assert f"entry {K}: the entry is missing" in capsys.readouterr().out
    assert Seen.read(seen) == saved


def test_without_the_master_key_the_tree_alone_is_checked(copy: CopiedLog) -> None:
    from gateway.store import Connection

    copy.run("UPDATE log_entries SET sealed = x'00' WHERE idx = :k", k=K)
    connection = Connection(copy.url, read_only=True)
    assert verify_database(connection, copy.key, None).good
    connection.close()
