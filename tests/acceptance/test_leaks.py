"""Every byte that `serve` wrote, searched for citizen IDs, field values and unkeyed digests of either.

Exchanges of every outcome run first, with hostile clients who put citizen IDs wherever one can be put. The
sandboxes' own files hold the made-up people, so they lie elsewhere and are not searched.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors import population
from gateway.client import Answer
from tests.acceptance.hostile import (
    CITIZENS,
    PEOPLE,
    SOMEONE,
    UNKNOWN,
    Scene,
    broken_connections,
    every_outcome,
    hostile_operators,
    hostile_questions,
    hostile_requests,
    while_asked,
)
from tests.acceptance.needles import Needles, digest_forms, value_forms, written_forms
from tests.acceptance.trail import ask, entries_since
from tests.harness import (
    OLD_AGE,
    PERSON,
    agree,
    agreement,
    running,
    term,
    title,
    token_of,
)


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running(tmp_path_factory.mktemp("leaks"), LINKAGE_TRUSTED_PROXIES="127.0.0.1") as (gateway, agencies):
        played = Scene(gateway, agencies)
        with gateway.as_("admin") as admin:
            for code in ("leak.ended", "leak.quota", "leak.compared"):
                body = {"code": code, "title": title(code), "authority": title("An act"), "replaces": []}
                admin.act("purpose.add", body)
        agree(gateway, agreement("leak-ended", PERSON, [term("leak.ended", ["life_status", "first_name"])]))
        agree(gateway, agreement("leak-quota", PERSON, [term("leak.quota", ["first_name"], quota_per_day=1)]))
        compared = term("leak.compared", ["name_matches", "mother_matches"])
        agree(gateway, agreement("leak-compared", PERSON, [compared]))
        every_outcome(played)
        hostile_questions(played)
        hostile_requests(played)
        hostile_operators(played)
        broken_connections(played)
        yield played
        played.http.close()


def identifiers() -> Needles:
    """Every citizen ID used, in every form."""
    needles = Needles()
    for number, citizen in enumerate(CITIZENS):
        needles.add(f"citizen {number}", written_forms(citizen))
    return needles


def everything(scene: Scene) -> Needles:
    """The IDs, their people's values, and unkeyed digests of IDs, bodies and answers."""
    needles = identifiers()
    for number, citizen in enumerate(CITIZENS):
        if citizen != UNKNOWN:
            for value in population.sentinels(PEOPLE[citizen]):
                needles.add(f"a value of citizen {number}", value_forms(value))
        for text in (citizen, f"citizen_id:{citizen}", f"citizen_id={citizen}", f'"{citizen}"', f"{citizen}\n"):
            needles.add(f"digest of citizen {number}", digest_forms(text.encode()))
    for body in {*scene.bodies}:
        needles.add("digest of a request", digest_forms(body))
    for answer in scene.answers:
        needles.add("digest of an answer", digest_forms(answer))
    return needles


def places(scene: Scene) -> tuple[Path, Path]:
    """Where the gateway writes: its state directory, its standard output and error."""
    return scene.gateway.state / "gateway", scene.gateway.output


def has_every_outcome(scene: Scene) -> None:
    """Else the search would prove little."""
    kinds = {entry["public"]["kind"] for entry in entries_since(scene.gateway, 0)}
    assert kinds >= {
        "act",
        "audit.search",
        "exchange.decided",
        "exchange.failed",
        "exchange.interrupted",
        "exchange.refused",
        "exchange.released",
        "exchange.withheld",
        "gateway.stopped",
        "requests.counted",
    }
    assert scene.codes >= {
        "agency_misbehaved",
        "agency_unavailable",
        "citizen_not_found",
        "denied",
        "insufficient_scope",
        "invalid_citizen_id",
        "invalid_token",
        "log_unavailable",
        "malformed_request",
        "method_not_allowed",
        "not_found",
        "quota_exceeded",
        "too_large",
        "unknown_field",
        "unknown_service",
        "unsupported_media_type",
    }
    assert len(scene.answers) > 50
    assert len(scene.said) > 500


PLANTED: tuple[tuple[str, Any], ...] = (
    ("INSERT INTO registers VALUES ('x', 'x', 1, ?)", f'{{"note":"{SOMEONE}"}}'),
    ("INSERT INTO registers VALUES ('x', 'x', 1, ?)", population.sentinels(PEOPLE[SOMEONE])[0]),
    ("INSERT INTO registers VALUES ('x', 'x', 1, ?)", population.sentinels(PEOPLE[SOMEONE])[1]),
    ("INSERT INTO revisions VALUES ('x', ?)", int(SOMEONE)),
    ("INSERT INTO once VALUES (?, 1)", hashlib.sha256(SOMEONE.encode()).digest()),
    ("INSERT INTO once VALUES (?, 1)", hashlib.sha1(f"citizen_id:{SOMEONE}".encode()).digest()),
    ("INSERT INTO registers VALUES ('x', 'x', 1, ?)", hashlib.md5(SOMEONE.encode()).hexdigest()),
)


def finds_what_is_planted(scene: Scene, needles: Needles, folder: Path) -> None:
    """In copies of what was written, with one thing more in each; else the search finds nothing because it cannot."""
    for number, (statement, value) in enumerate(PLANTED):
        copy = folder / f"copy-{number}"
        shutil.copytree(places(scene)[0], copy)
        with sqlite3.connect(copy / "linkage.db") as connection:
            connection.execute(statement, (value,))
        assert needles.in_files(copy), statement
    output = folder / "output"
    shutil.copytree(places(scene)[1], output)
    with (output / "stderr.1").open("a") as lines:
        lines.write(f'{{"event": "asked", "url": "http://127.0.0.1/coverage?PERSON_ID={SOMEONE}"}}\n')
    assert needles.in_files(output)


def test_no_byte_that_the_gateway_wrote_tells_of_anyone(scene: Scene, tmp_path: Path) -> None:
    """While it runs, after it was killed in the middle of an exchange, and after it was stopped in good order."""
    gateway, needles = scene.gateway, everything(scene)
    assert {path.name for path in places(scene)[0].iterdir()} >= {"linkage.db", "linkage.db-wal"}
    assert needles.in_files(*places(scene)) == {}
    token = token_of(gateway, "city-a-welfare")
    question = {"service": PERSON, "citizen_id": SOMEONE, "purpose": OLD_AGE}
    while_asked(scene, token, question, gateway.kill)
    assert needles.in_files(*places(scene)) == {}
    gateway.start()
    assert isinstance(ask(gateway, **question), Answer)
    for citizen in CITIZENS[:3]:
        scene.exchange("no token", {"service": PERSON, "citizen_id": citizen, "purpose": OLD_AGE})
    gateway.stop()
    assert needles.in_files(*places(scene)) == {}
    finds_what_is_planted(scene, needles, tmp_path)
    assert needles.in_bytes(b"\n".join(scene.said)) == [], "an answer that is none of the granted ones says it"
    gateway.start()
    has_every_outcome(scene)


def test_the_search_finds_every_form_wherever_it_stands() -> None:
    needles, body = identifiers(), orjson.dumps({"citizen_id": SOMEONE})
    needles.add("a value", value_forms(PEOPLE[SOMEONE].first_name))
    needles.add("a digest", [*digest_forms(SOMEONE.encode()), *digest_forms(body)])
    forms = [*written_forms(SOMEONE), *value_forms(PEOPLE[SOMEONE].first_name)]
    forms += [*digest_forms(SOMEONE.encode()), *digest_forms(body)]
    for place, (form, needle) in enumerate(forms):
        assert needles.in_bytes(b"\x01" * (place % 9) + needle + b"\x02" * 9), form
    for text in (f"https://x.example/{SOMEONE}", f'level=error id="{SOMEONE}"', f"a{SOMEONE}b"):
        assert needles.in_bytes(text.encode())
    assert needles.in_bytes(b"no one's " * 1000) == []
