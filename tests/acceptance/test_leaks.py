"""Every byte that `serve` wrote, searched for citizen IDs, field values and unkeyed digests of either.

Exchanges of every outcome run first, with hostile clients who put citizen IDs wherever one can be put. The
sandboxes' own files hold the made-up people, so they lie elsewhere and are not searched.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from connectors import population
from gateway.client import Answer, ClientError, Gateway, Problem
from gateway.model import check_digit
from tests.acceptance.needles import Needles, digest_forms, value_forms, written_forms
from tests.acceptance.trail import ask, entries_since
from tests.harness import (
    COVER,
    HOUSE,
    OLD_AGE,
    PERSON,
    RunningGateway,
    agree,
    agreement,
    running,
    term,
    title,
    token_of,
)

PEOPLE = population.population()
PINNED = {each.citizen_id for each in population.story_people()}
KNOWN = [citizen for citizen, person in PEOPLE.items() if citizen not in PINNED and person.cover][:16]
"""Not the pinned people: what is registered and documented shows these as examples."""
UNKNOWN = "98765432109" + next(f"{n}{check_digit(f'98765432109{n}')}" for n in range(10))
CITIZENS = [*KNOWN, UNKNOWN]
SOMEONE = KNOWN[0]
FAULTS = (
    *("half", "not_json", "wrong_person", "error_500", "unavailable", "huge", "redirect", "wrong_schema"),
    *("unmappable", "no_echo", "wrong_charset", "duplicate_key", "nan", "bomb", "tis620"),
)


class Scene:
    """A gateway, what was sent to it, and all that it said when it refused or failed."""

    def __init__(self, gateway: RunningGateway, agencies: dict[str, Any]) -> None:
        self.gateway, self.agencies = gateway, agencies
        self.bodies: list[bytes] = []
        self.answers: list[bytes] = []
        self.said: list[bytes] = []
        self.codes: set[str] = set()
        self.http = httpx.Client(base_url=gateway.url, trust_env=False, timeout=30)

    def note(self, response: httpx.Response) -> httpx.Response:
        if response.status_code == 200 and response.request.url.path == "/v1/exchanges":
            self.answers += [response.content, orjson.dumps(response.json()["data"], option=orjson.OPT_SORT_KEYS)]
        else:  # a granted answer is the asker's own, its digest (RFC 9530) too
            self.said.append(str(response.headers).encode() + response.content)
            if response.headers.get("content-type") == "application/problem+json":
                self.codes.add(response.json()["code"])
        return response

    def exchange(self, token: str, question: Any) -> httpx.Response:
        body = question if isinstance(question, bytes) else orjson.dumps(question)
        self.bodies.append(body)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        return self.note(self.http.post("/v1/exchanges", content=body, headers=headers))


@pytest.fixture
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running(tmp_path_factory.mktemp("leaks"), LINKAGE_TRUSTED_PROXIES="127.0.0.1") as (gateway, agencies):
        played = Scene(gateway, agencies)
        with gateway.as_("admin") as admin:
            for code in ("leak.ended", "leak.quota"):
                body = {"code": code, "title": title(code), "authority": title("An act"), "replaces": []}
                admin.act("purpose.add", body)
        agree(gateway, agreement("leak-ended", PERSON, [term("leak.ended", ["life_status", "first_name"])]))
        agree(gateway, agreement("leak-quota", PERSON, [term("leak.quota", ["first_name"], quota_per_day=1)]))
        every_outcome(played)
        hostile_questions(played)
        hostile_requests(played)
        hostile_operators(played)
        broken_connections(played)
        yield played
        played.http.close()


def every_outcome(scene: Scene) -> None:
    gateway, agencies = scene.gateway, scene.agencies
    token = token_of(gateway, "city-a-welfare")
    land = {"purpose": "land.transfer-registration", "officer": "somsri.j"}
    cover = {"service": COVER, "purpose": "health.coverage-check"}
    for citizen in CITIZENS:
        scene.exchange(token, {"service": PERSON, "citizen_id": citizen, "purpose": OLD_AGE})
        scene.exchange(token, {"service": PERSON, "citizen_id": citizen, **land})
        scene.exchange(token, {"service": HOUSE, "citizen_id": citizen, "purpose": OLD_AGE})
        scene.exchange(token, {"citizen_id": citizen, **cover})
        scene.exchange(token, {"service": PERSON, "citizen_id": citizen, "purpose": OLD_AGE, "fields": ["father_name"]})
        scene.exchange(token, {"service": PERSON, "citizen_id": citizen, "purpose": "leak.quota"})
        scene.exchange(token, {"service": PERSON, "citizen_id": citizen, "purpose": "nobody.knows-it"})
    for number, fault in enumerate(FAULTS):
        citizen = KNOWN[number % 7]
        for agency in agencies.values():
            agency.fault(fault)
        scene.exchange(token, {"service": PERSON, "citizen_id": citizen, **land})
        scene.exchange(token, {"service": HOUSE, "citizen_id": citizen, "purpose": OLD_AGE})
        scene.exchange(token, {"citizen_id": citizen, **cover})
    for agency in agencies.values():
        agency.fault("none")
    question = {"service": PERSON, "citizen_id": SOMEONE, "purpose": "leak.ended"}
    with gateway.as_("dopa-owner-1") as owner:
        end = {"id": "leak-ended", "reason": "a test"}
        while_asked(scene, token, question, lambda: owner.act("agreement.revoke", end))
    lock = sqlite3.connect(gateway.state / "gateway" / "linkage.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    scene.exchange(token, question)
    lock.execute("ROLLBACK")
    lock.close()
    down = agencies["nhso"]
    down.process.kill()
    down.process.wait()
    scene.exchange(token, {"citizen_id": SOMEONE, **cover})


def while_asked(scene: Scene, token: str, question: dict[str, Any], meanwhile: Callable[[], Any]) -> None:
    """Something happens while the source is asked."""
    dopa = scene.agencies["dopa"]
    dopa.fault("late", seconds=0.6, times=1)
    before = dopa.asked()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(scene.exchange, token, question)
        while dopa.asked() == before and not future.done():
            time.sleep(0.005)
        meanwhile()
        try:
            future.result()
        except httpx.TransportError:
            return  # it was killed


def hostile_questions(scene: Scene) -> None:
    token = token_of(scene.gateway, "city-a-welfare")
    for field in ("shoe_size", f"a{SOMEONE}"):
        scene.exchange(token, {"service": PERSON, "citizen_id": SOMEONE, "purpose": OLD_AGE, "fields": [field]})
    scene.exchange(token, {"service": "dopa.ghost.v1", "citizen_id": SOMEONE, "purpose": OLD_AGE})
    for citizen in CITIZENS[:4]:
        good = {"service": PERSON, "citizen_id": citizen, "purpose": OLD_AGE}
        whole = orjson.dumps(good)
        dashed = f"{citizen[0]}-{citizen[1:5]}-{citizen[5:10]}-{citizen[10:12]}-{citizen[12]}"
        for bad in (
            whole[:-1],
            whole[:-20],
            whole + whole,
            b'"' + citizen.encode() + b'"',
            citizen.encode(),
            b"[" + citizen.encode() + b"]",
            whole.replace(b'"citizen_id"', b'"citizen_id":"x","citizen_id"'),
            whole.replace(f'"{citizen}"'.encode(), citizen.encode()),
            whole.replace(citizen.encode(), citizen.encode() + b"\\n"),
            whole.replace(citizen.encode(), b"\\ud800" + citizen.encode()),
            whole.replace(citizen.encode(), citizen.encode() + b"\xff"),
            whole.decode().encode("utf-16"),
            b'{"a":' * 20000 + citizen.encode(),
            whole + b" " * 70000,
        ):
            scene.exchange(token, bad)
        for more in (
            {citizen: 1},
            {"note": citizen},
            {"citizen_id": dashed},
            {"citizen_id": citizen + "0"},
            {"citizen_id": citizen[:-1] + str((int(citizen[-1]) + 1) % 10)},
            {"citizen_id": {"id": citizen}},
            {"juristic_id": citizen},
            {"officer": citizen},
            {"officer": f"a{citizen}"},
            {"case_reference": f"OAA/{dashed}"},
            {"consent_id": f"cns_{citizen}"},
            {"purpose": f"welfare.{citizen}"},
            {"purpose": f"welfare.x{citizen}y"},
            {"purpose": citizen},
            {"service": f"dopa.p{citizen}.v1"},
            {"fields": [f"a{citizen}"]},
            {"fields": [citizen]},
            {"fields": ["life_status", {"id": citizen}]},
        ):
            scene.exchange(token, {**good, **more})
        scene.exchange(citizen, good)
        scene.exchange(f"{citizen}.{citizen}.{citizen}", good)


def hostile_requests(scene: Scene) -> None:
    gateway = scene.gateway
    tokens = {
        name: token_of(gateway, name, scope) for name, scope in (("city-a-welfare", "exchange"), ("auditor", "audit"))
    }
    tokens["admin"] = token_of(gateway, "admin", "admin")
    with httpx.Client(base_url=gateway.url, trust_env=False, timeout=20) as client:
        for citizen in CITIZENS[:2]:
            paths = (
                f"/{citizen}",
                f"/v1/exchanges/{citizen}",
                f"/v1/exchanges/ex_{citizen}",
                f"/v1/exchanges/{citizen}/proof",
                f"/v1/exchanges?citizen_id={citizen}",
                f"/v1/services/{citizen}",
                f"/v1/services/{citizen}/schema",
                f"/v1/consents/{citizen}",
                f"/v1/audit/exchanges/{citizen}",
                f"/v1/audit/entries?after={citizen}",
                f"/v1/audit/entries?after=x{citizen}",
                f"/v1/audit/entries?limit={citizen}",
                f"/v1/admin/registers/{citizen}",
                f"/v1/admin/registers/client/{citizen}",
                f"/log/tile/entries/{citizen}",
                f"/log/tile/0/{citizen}",
                f"/metrics?{citizen}={citizen}",
                f"/readyz/{citizen}",
                f"/oauth/token?client_id={citizen}",
                f"/.well-known/{quote('๙' + citizen)}",
            )
            for path in paths:
                for method in ("GET", "POST", "DELETE", "BREW"):
                    for token in tokens.values():
                        headers = {"authorization": f"Bearer {token}", "x-citizen": citizen, "cookie": f"id={citizen}"}
                        scene.note(client.request(method, path, headers=headers))
            question = {"service": PERSON, "citizen_id": citizen, "purpose": OLD_AGE}
            for headers in (
                {"authorization": f"Bearer {citizen}"},
                {"authorization": f"Basic {citizen}"},
                {"authorization": citizen},
                {"content-type": f"application/json; id={citizen}"},
                {"content-type": f"text/{citizen}"},
                {"content-encoding": citizen},
                {"x-forwarded-for": f"{citizen}"},
                {"x-forwarded-for": f"{citizen}, 127.0.0.1", "authorization": f"Bearer {citizen}"},
                {"host": f"{citizen}.example"},
                {"user-agent": citizen, "referer": f"https://x.example/{citizen}"},
                {"idempotency-key": citizen},
            ):
                given = {"authorization": f"Bearer {tokens['city-a-welfare']}", **headers}
                scene.note(client.post("/v1/exchanges", json=question, headers=given))
            for form in (
                {"grant_type": citizen},
                {"grant_type": "client_credentials", "client_id": citizen, "client_assertion": citizen},
                {
                    "grant_type": "client_credentials",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "client_assertion": f"{citizen}.{citizen}.{citizen}",
                    "scope": citizen,
                },
            ):
                scene.note(client.post("/oauth/token", data=form))
            search = {"authorization": f"Bearer {tokens['auditor']}"}
            for wanted in (
                {"citizen_id": citizen, "reason": "a complaint of 20 November"},
                {"citizen_id": citizen, "reason": f"a complaint by {citizen}"},
                {
                    "citizen_id": citizen,
                    "reason": f"complaint {citizen[0]}-{citizen[1:5]}-{citizen[5:10]}-{citizen[10:]}",
                },
                {"citizen_id": citizen},
                {"citizen_id": citizen + "1", "reason": "too long"},
                {"case_reference": citizen},
                {"purpose": f"welfare.{citizen}"},
                {"officer": citizen},
                {"client": f"x{citizen}"},
                {"cursor": citizen},
                {"from": citizen},
                {citizen: citizen},
            ):
                scene.note(client.post("/v1/audit/exchanges/search", json=wanted, headers=search))
            consent = {"authorization": f"Bearer {tokens['city-a-welfare']}"}
            for path in ("/v1/consents", "/v1/consents/search", "/v1/consents/withdraw"):
                scene.note(client.post(path, json={"citizen_id": citizen, "reason": citizen}, headers=consent))
        for path in (
            "/metrics",
            "/healthz",
            "/readyz",
            "/log/checkpoint",
            "/log/tile/entries/000.p/10",
            "/openapi.json",
        ):
            scene.note(client.get(path))


def hostile_operators(scene: Scene) -> None:
    """Whoever types a citizen ID into a register's text is told so, and it is not kept."""

    def act(desk: Gateway, name: str, body: dict[str, Any]) -> None:
        try:
            desk.act(name, body)
        except ClientError as refused:
            scene.said.append(str(refused).encode())
            if isinstance(refused, Problem):
                scene.said.append(orjson.dumps(refused.as_json()))

    with scene.gateway.as_("admin") as admin, scene.gateway.as_("dopa-owner-1") as owner:
        for citizen in CITIZENS[:3]:
            act(admin, "agency.add", {"id": f"x-{citizen}", "title": title("x")})
            act(admin, "agency.add", {"id": "x-agency", "title": title(f"of {citizen}")})
            act(
                admin,
                "purpose.add",
                {"code": f"x.{citizen}", "title": title("x"), "authority": title("x"), "replaces": []},
            )
            act(admin, "officer.add", {"client": "city-a-welfare", "code": citizen})
            act(admin, citizen, {"id": citizen})
            act(owner, "agreement.suspend", {"id": "city-a-house", "reason": f"complaint of {citizen}"})
            act(owner, "agreement.propose", agreement(f"x-{citizen}", HOUSE, [term(OLD_AGE, ["local_authority"])]))
            form = agreement("x-agreement", HOUSE, [term(OLD_AGE, ["local_authority"])], title=title(citizen))
            act(owner, "agreement.propose", form)


def broken_connections(scene: Scene) -> None:
    """Clients that go away half-way, and bytes that are no HTTP."""
    token = token_of(scene.gateway, "city-a-welfare").encode()
    for citizen in (each.encode() for each in CITIZENS[:3]):
        head = (
            b"POST /v1/exchanges HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer "
            + token
        )
        for sent in (
            head + b"\r\ncontent-length: 200\r\n\r\n" + b'{"citizen_id":"' + citizen,
            head + b"\r\ntransfer-encoding: chunked\r\n\r\nzz" + citizen + b"\r\n",
            head + b"\r\nx: " + citizen,
            b"GET /" + citizen + b" HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01" + citizen + b"\r\n\r\n",
            citizen * 10 + b"\r\n\r\n",
            b"GET /\xff" + citizen + b" HTTP/1.1\r\nhost: x\r\n\xff" + citizen + b": x\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", scene.gateway.port), timeout=5) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(0.3)
                with contextlib.suppress(OSError):
                    scene.said.append(connection.recv(65536))


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
