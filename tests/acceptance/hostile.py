"""Exchanges of every outcome, and clients who put a citizen ID wherever one can be put: what a leak search searches."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from connectors import population
from gateway.client import ClientError, Gateway, Problem
from gateway.model import check_digit
from tests.harness import (
    COVER,
    HOUSE,
    OLD_AGE,
    PERSON,
    RunningGateway,
    agreement,
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
        compared(scene, token, citizen)
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


def compared(scene: Scene, token: str, citizen: str) -> None:
    """Values to compare with: right ones, another's, ones that are refused or malformed."""
    own, other = PEOPLE.get(citizen, PEOPLE[SOMEONE]), PEOPLE[KNOWN[1]]
    name = {"first_name": own.first_name, "last_name": own.last_name}
    question = {"service": PERSON, "citizen_id": citizen, "purpose": "leak.compared"}
    for given in (
        {**name, "mother_citizen_id": other.citizen_id},
        {**name, "first_name": other.first_name},
        {"first_name": own.first_name},
        {"mother_citizen_id": own.mother or other.citizen_id, citizen: own.first_name},
        {"mother_citizen_id": citizen[:-1]},
        {"mother_citizen_id": [citizen]},
        {"first_name": citizen, "last_name": f"{own.last_name}\n{citizen}"},
        {own.first_name: own.last_name},
        [own.first_name, citizen],
        own.last_name,
        {**name, "last_name": own.last_name * 40},
    ):
        scene.exchange(token, {**question, "given": given})
        scene.exchange(token, {**question, "given": given, "purpose": OLD_AGE})
        scene.exchange(token, {**question, "given": given, "service": HOUSE, "purpose": OLD_AGE})


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
