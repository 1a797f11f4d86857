"""Starts the real thing for tests and benches: sandbox agencies and a gateway, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from gateway.app import initialise
from gateway.catalogue import digest_of, read_folder
from gateway.client import Gateway
from gateway.client.signing import ASSERTION_TYPE, assertion
from gateway.keys import new_key, public_key, read_key, write_key
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SANDBOX_KEYS = {"SOURCE_DOPA__API_KEY": "made-up-dopa-key", "SOURCE_NHSO__API_KEY": "made-up-nhso-key"}
PERSON, HOUSE, COVER = "dopa.person.v1", "dopa.house.v1", "nhso.coverage.v1"
OLD_AGE = "welfare.old-age-allowance"


class Agency:
    """One sandbox agency process."""

    def __init__(self, name: str, state: Path, port: int = 0) -> None:
        self.name = name
        state.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", f"connectors.{name}.sandbox", "--port", str(port), "--state", str(state)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **SANDBOX_KEYS}, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["port"])
        self.url = f"http://127.0.0.1:{self.port}"

    def fault(self, fault: str, **more: Any) -> None:
        """Makes the next answers go wrong (`none`: right again)."""
        httpx.put(f"{self.url}/_sandbox/fault", json={"fault": fault, **more}, trust_env=False).raise_for_status()

    def asked(self) -> int:
        """How many data requests it has served."""
        return int(httpx.get(f"{self.url}/_sandbox/count", trust_env=False).json()["count"])

    def stop(self) -> None:
        """Ends the process."""
        end(self.process)


class RunningGateway:
    """One gateway process over a state directory, with the keys of everyone who may talk to it."""

    def __init__(self, state: Path, *, port: int | None = None, **settings: Any) -> None:
        self.state = state
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.extra = {key: str(value) for key, value in settings.items()}
        self.keys = state / "people"
        self.output = state / "output"
        self.output.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.program = "from gateway.app import serve; from gateway.settings import Settings; serve(Settings())"

    @property
    def environment(self) -> dict[str, str]:
        """What `serve` runs with."""
        own = {
            "LINKAGE_STATE_DIR": str(self.state / "gateway"),
            "LINKAGE_PORT": str(self.port),
            "LINKAGE_ISSUER": self.url,
            "LINKAGE_SANDBOX": "true",
        }
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LINKAGE_")}
        return {**kept, **SANDBOX_KEYS, **own, **self.extra}

    def initialise(self) -> None:
        """The state directory, with `admin` as its first administrator."""
        settings = Settings(state_dir=self.state / "gateway", port=self.port, issuer=self.url, sandbox=True)
        if "LINKAGE_DATABASE_URL" in self.extra:
            settings = settings.model_copy(update={"database_url": self.extra["LINKAGE_DATABASE_URL"]})
        key = initialise(settings, first_admin="admin", policies=ROOT / "policies")
        self.keys.mkdir(parents=True, exist_ok=True)
        key.rename(self.keys / "admin.jwk")

    def start(self, *, wait: bool = True) -> None:
        """Runs `serve`."""
        self.starts += 1
        with (
            (self.output / f"stdout.{self.starts}").open("wb") as out,
            (self.output / f"stderr.{self.starts}").open("wb") as err,
        ):
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.program], cwd=ROOT, env=self.environment, stdout=out, stderr=err
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds: float = 30) -> None:
        """Until /readyz says so."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError((self.output / f"stderr.{self.starts}").read_text())
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False, timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise TimeoutError("the gateway did not become ready")

    def stop(self) -> None:
        """SIGTERM, and waits."""
        if self.process is not None:
            end(self.process)
            self.process = None

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is flushed."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def person(self, name: str, algorithm: str = "EdDSA") -> dict[str, Any]:
        """A new key file for someone; returns the public JWK."""
        jwk = new_key(algorithm)
        write_key(self.keys / f"{name}.jwk", jwk)
        return {key: value for key, value in public_key(jwk).items() if key not in ("alg", "use")}

    def as_(self, name: str) -> Gateway:
        """The Python client in the name of a client or operator."""
        return Gateway(self.url, name, self.keys / f"{name}.jwk")


class Second(RunningGateway):
    """Another gateway over the same database and keys: its own name and port, the same issuer."""

    def __init__(self, first: RunningGateway) -> None:
        super().__init__(first.state)
        self.extra = dict(first.extra)
        self.issuer = first.url
        self.extra |= {"LINKAGE_GATEWAY_NAME": "gateway-2", "LINKAGE_ISSUER": first.url}
        self.starts = 100

    def as_(self, name: str) -> Gateway:
        """The Python client, which is told the issuer that both share."""
        return Gateway(self.url, name, self.keys / f"{name}.jwk", issuer=self.issuer)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[Any]) -> None:
    """SIGTERM, then SIGKILL if it does not end."""
    process.terminate()
    try:
        process.wait(timeout=25)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def title(text: str) -> dict[str, str]:
    """A title in both languages."""
    return {"th": text, "en": text}


def term(purpose: str, fields: list[str], **more: Any) -> dict[str, Any]:
    """One term with everything that has to be there."""
    return {
        "id": more.pop("id", "t1"),
        "purpose": purpose,
        "fields": fields,
        "lawful_basis": "24(4)",
        "authority": title("Older Persons Act B.E. 2546"),
        "oia_ground": "24(2)",
        "notice": {"id": "city-notice", "version": "1"},
        **more,
    }


def agreement(name: str, service: str, terms: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An agreement form with everything that has to be there."""
    today = date.today()
    return {
        "id": name,
        "title": title(name),
        "consumer": more.pop("consumer", {"agency": "city-a"}),
        "service": service,
        "period": {"from": str(today - timedelta(days=30)), "to": str(today + timedelta(days=300))},
        "controller": {"consumer": "controller", "source": "controller"},
        "retention": {"days": 90, "destruction": "shredded"},
        "contacts": {"consumer": "desk@city-a.example", "source": "desk@source.example"},
        "terms": terms,
        **more,
    }


def seed(gateway: RunningGateway, agencies: dict[str, Agency]) -> None:
    """Everyone and everything that the acceptance tests need, through signed acts."""
    with gateway.as_("admin") as admin:
        for name in ("dopa", "nhso", "city-a", "city-b"):
            admin.act("agency.add", {"id": name, "title": title(name)})
        admin.act("group.add", {"id": "municipalities", "title": title("municipalities"), "members": ["city-b"]})
        admin.act("operator.add", _operator(gateway, "admin-2", "admin"))
        for source in ("dopa", "nhso"):
            admin.act("operator.add", _owner(gateway, f"{source}-owner-1", source))
            confirm(gateway, f"{source}-owner-1", "admin-2")
        admin.act("operator.add", _operator(gateway, "auditor", "auditor"))
        for client, consumer in (
            ("city-a-welfare", "city-a"),
            ("city-a-other", "city-a"),
            ("city-b-welfare", "city-b"),
        ):
            key = gateway.person(client, "ES256" if client == "city-b-welfare" else "EdDSA")
            admin.act("client.add", {"id": client, "agency": consumer, "title": title(client), "keys": [key]})
        admin.act("officer.add", {"client": "city-a-welfare", "code": "somsri.j"})
        for purpose in (OLD_AGE, "welfare.disability-allowance", "land.transfer-registration", "health.coverage-check"):
            admin.act(
                "purpose.add",
                {"code": purpose, "title": title(purpose), "authority": title("An act"), "replaces": [title("copy")]},
            )
        for source, agency in agencies.items():
            registration = registration_of(source, agency.url)
            admin.act("connector.register", {"registration": registration})
            with gateway.as_(f"{source}-owner-1") as owner:
                owner.act("operator.add", _owner(gateway, f"{source}-owner-2", source))
                confirm(gateway, f"{source}-owner-2", "admin")
                owner.act("connector.approve", {"agency": source, "digest": digest_of(registration)})
    agree(
        gateway,
        agreement(
            "city-a-person",
            PERSON,
            [
                term(OLD_AGE, ["date_of_birth", "life_status", "nationality"]),
                term(
                    "land.transfer-registration",
                    ["first_name", "last_name", "date_of_birth"],
                    id="t2",
                    officer_required=True,
                ),
            ],
        ),
    )
    agree(gateway, agreement("city-a-house", HOUSE, [term(OLD_AGE, ["local_authority"])]))
    agree(
        gateway,
        agreement(
            "cities-person",
            PERSON,
            [term(OLD_AGE, ["date_of_birth", "life_status"])],
            consumer={"group": "municipalities"},
        ),
    )
    agree(gateway, agreement("city-a-cover", COVER, [term("health.coverage-check", ["main_scheme", "main_hospital"])]))


def registration_of(source: str, url: str) -> dict[str, Any]:
    """An agency folder's registration, pointed at a sandbox."""
    return read_folder(ROOT / "connectors" / source, ROOT / "schemas").with_endpoint(None, url).as_json()


def confirm(gateway: RunningGateway, operator: str, by: str) -> None:
    """Someone who did not enrol the operator says that it is a person of their own."""
    with gateway.as_(by) as second:
        second.act("operator.confirm", {"id": operator})


def agree(gateway: RunningGateway, form: dict[str, Any]) -> None:
    """Proposed by one owner of the source, approved by the other."""
    source = form["service"].partition(".")[0]
    with gateway.as_(f"{source}-owner-1") as first, gateway.as_(f"{source}-owner-2") as second:
        version = first.act("agreement.propose", form)["record"]["pending"]["version"]
        second.act("agreement.approve", {"id": form["id"], "version": version})


def _operator(gateway: RunningGateway, name: str, role: str) -> dict[str, Any]:
    return {"id": name, "name": name, "role": role, "keys": [gateway.person(name)]}


def _owner(gateway: RunningGateway, name: str, agency: str) -> dict[str, Any]:
    return {**_operator(gateway, name, "owner"), "agency": agency}


@contextmanager
def running(state: Path, *, agencies: tuple[str, ...] = ("dopa", "nhso"), **settings: Any) -> Iterator[Any]:
    """(gateway, agencies by name), seeded and ready; everything ends with the block."""
    held = {name: Agency(name, state / "sandbox" / name) for name in agencies}
    gateway = RunningGateway(state, **settings)
    try:
        gateway.initialise()
        gateway.start()
        seed(gateway, held)
        yield gateway, held
    finally:
        gateway.stop()
        for agency in held.values():
            agency.stop()


def token_of(gateway: RunningGateway, name: str, scope: str = "exchange") -> str:
    """An access token, for what speaks HTTP without the Python client."""
    response = httpx.post(
        f"{gateway.url}/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(read_key(gateway.keys / f"{name}.jwk"), name, gateway.url),
            "scope": scope,
        },
        trust_env=False,
    )
    return str(response.raise_for_status().json()["access_token"])
