"""`linkage connector probe`: asks an agency's source about its test person, from this machine, before anything is
registered.

The folder's own settings are used, its secrets come from this machine, and one question goes through the whole
connector and the schema, as in the gateway. Shown are names and types, times, and what TLS says of the source. Values
are shown only of a sandbox: where the endpoint is on this machine, and the test person one that nobody is.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from cryptography import x509

from gateway.catalogue import SecretMissing, machine_secrets, open_connector, services_of
from gateway.cli.connection import local
from gateway.cli.connector_folders import read_registration
from gateway.cli.connectors import Endpoints, Folder, Schemas, endpoints_of
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import Screen
from gateway.errors import GatewayError
from gateway.model import Service, new_id
from gateway.plugin import Ask, Record, SourceFault
from gateway.release import Minimiser

Json = dict[str, Any]
_DEFAULT_PORTS = {"https": 443, "http": 80}


@local
def probe(
    screen: Screen,
    folder: Folder,
    service: Annotated[str | None, typer.Option(help="This service only.")] = None,
    endpoint: Endpoints = None,
    schemas: Schemas = None,
    secrets: Annotated[Path | None, typer.Option(help="The folder of secret files, as the gateway has it.")] = None,
    values: Annotated[bool, typer.Option("--values", help="Show values too: of a sandbox here only.")] = False,
) -> None:
    """ถามแหล่งข้อมูลถึงบุคคลทดสอบ / Asks the source about the folder's test person, through the whole connector."""
    registration = read_registration(folder, *endpoints_of(endpoint or []), schemas)
    chosen = [one for one in services_of(registration.as_json()) if service in (None, one.id)]
    if not chosen:
        raise WrongUse("โฟลเดอร์นี้ไม่มีบริการดังกล่าว", "the folder has no such service")
    if values and not all(_is_sandbox(one) for one in chosen):
        raise Refused("แสดงค่าได้เฉพาะระบบทดสอบบนเครื่องนี้", "values are shown only of a sandbox on this machine")
    resolve = machine_secrets(secrets)
    found = [_probed(one, registration.test_identifiers.get(one.id), resolve, values) for one in chosen]
    body = {"agency": registration.agency, "probes": found}
    screen.show(body, lambda: _render(screen, found))
    if any(one["fault"] for one in found):
        raise typer.Exit(1)


def _probed(service: Service, person: str | None, secret: Any, values: bool) -> Json:
    """One service's probe. `fault`: empty where the record came and fits its schema; else a code of ours."""
    result: Json = {"service": service.id, "fault": "", "milliseconds": {}, "tls": None, "fields": [], "echo": None}
    if person is None:
        return {**result, "fault": "no_test_identifier"}
    result["milliseconds"], result["tls"] = _reached(service)
    missing: list[str] = []

    def noted(reference: str) -> str:
        try:
            return str(secret(reference))
        except SecretMissing:
            missing.append(reference)
            raise

    try:
        record, seconds = asyncio.run(_asked(service, person, noted))
        data = Minimiser().minimise(record, service, tuple(record.data), person)
    except SourceFault as fault:
        why = [part for part in (fault.fault, *missing[:1]) if part]
        return {**result, "fault": ": ".join([fault.code, *why])}
    except GatewayError as error:
        return {**result, "fault": error.code}
    except Exception as error:  # a stranger's kind; what it says could hold anything
        return {**result, "fault": f"connector_{type(error).__name__}"}
    result["milliseconds"]["answer"] = round(seconds * 1000, 1)
    result["echo"] = "checked" if service.echo else "none"
    result["fields"] = [
        {"name": name, "type": _type(value), **({"value": value} if values else {})} for name, value in data.items()
    ]
    return result


async def _asked(service: Service, person: str, secret: Any) -> tuple[Record, float]:
    connector = open_connector(service, secret=secret, address_allowed=lambda address: True)
    clock = asyncio.get_running_loop().time
    try:
        begun = clock()
        ask = Ask(
            identifier=person,
            identifier_kind=service.identifier_kind.value,
            service=service.id,
            fields=frozenset(name for name, info in service.fields.items() if not info.given),
            exchange_id=new_id("ex"),
            consumer="probe",
            purpose="connector.probe",
            deadline=begun + service.deadline,
        )
        return await connector.fetch(ask), clock() - begun
    finally:
        await connector.close()


def _reached(service: Service) -> tuple[Json, Json | None]:
    """How long name, connection and TLS take by themselves, and what TLS says; as far as they get."""
    parts = urlsplit(service.connector["endpoint"])
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        return {}, None
    times: Json = {}
    try:
        begun = time.perf_counter()
        family, kind, _, _, address = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)[0]
        times["name"] = _since(begun)
        with socket.socket(family, kind) as plain:
            plain.settimeout(service.deadline)
            begun = time.perf_counter()
            plain.connect(address)
            times["connect"] = _since(begun)
            if parts.scheme != "https":
                return times, None
            begun = time.perf_counter()
            # Only looked at: whether the certificate is good is the connector's to say, by the agency's own CA.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped:
                times["tls"] = _since(begun)
                return times, _tls_facts(wrapped)
    except OSError:
        return times, None


def _tls_facts(wrapped: ssl.SSLSocket) -> Json:
    facts: Json = {"version": wrapped.version(), "cipher": (wrapped.cipher() or ("",))[0]}
    der = wrapped.getpeercert(binary_form=True)
    if der:
        certificate = x509.load_der_x509_certificate(der)
        facts["subject"] = certificate.subject.rfc4514_string()
        facts["issuer"] = certificate.issuer.rfc4514_string()
        facts["expires"] = certificate.not_valid_after_utc.isoformat()
    return facts


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)


def _type(value: Any) -> str:
    """A value's type, without the value: `text`, `list of 2`, `group of code, label`."""
    if isinstance(value, Mapping):
        return f"group of {', '.join(value)}"
    if isinstance(value, list):
        return f"list of {len(value)}"
    if value is None:
        return "nothing"
    return {"bool": "yes or no", "int": "whole number", "float": "number", "str": "text"}[type(value).__name__]


def _is_sandbox(service: Service) -> bool:
    """Whether the endpoint is on this machine: a file, or a loopback address."""
    parts = urlsplit(service.connector["endpoint"])
    if parts.hostname is None:
        return bool(parts.scheme == "sqlite")
    try:
        return ip_address(parts.hostname).is_loopback
    except ValueError:
        return bool(parts.hostname == "localhost")


def _render(screen: Screen, found: list[Json]) -> None:
    for one in found:
        screen.line(f"{one['service']}: {one['fault'] or 'ok'}")
        code, _, missing = one["fault"].rpartition("secret_missing: ")
        if code:
            screen.line(f"  เครื่องนี้ไม่มีความลับ {missing} / this machine has no secret {missing}")
        screen.fields({"milliseconds": one["milliseconds"], "tls": one["tls"], "echo": one["echo"]})
        if one["fields"]:
            columns = [("รายการข้อมูล", "field"), ("ชนิด", "type")]
            shown = "value" in one["fields"][0]
            rows = [list(field.values()) for field in one["fields"]]
            screen.table([*columns, ("ค่า", "value")] if shown else columns, rows)
        screen.line("")
