"""What the SOAP agencies' sandboxes share: one endpoint, SOAP 1.1 or 1.2, WS-Security checked as a real one would.

Started like every sandbox (see `connectors.sandbox`); its faults are ordered the same way.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import orjson

from connectors.json_answer import BadAnswer
from connectors.population import Person, population
from connectors.sandbox import Message, Order, Receive, Send, needed, read_body, send_answer, send_start, serve
from connectors.soap_envelope import ENVELOPES, TYPES
from connectors.xml_answer import parse_xml

_WSS: Final = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-%s-1.0.xsd}"
_WSSE: Final = _WSS % "secext"
_WSU: Final = _WSS % "utility"
_FRESH: Final = timedelta(minutes=5)
FAULTS: Final = (
    "none", "late", "never", "half", "not_xml", "wrong_person", "error_500", "unavailable", "fault", "mtom", "entities",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `identifier`: the request's element that holds the identifier.

    `record`: the response element's children for a person, None where it has none. `unknown`: the fault
    (code, subcode, detail element and text) for who is not in it.
    """

    name: str
    request: str
    response: str
    action: str
    identifier: str
    record: Callable[[Person], dict[str, Any] | None]
    unknown: tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class SoapAgency:
    """A SOAP endpoint: `digest`: whether the password comes as digest (else as text)."""

    path: str
    namespace: str
    version: str
    digest: bool
    username: str
    password: str
    operations: tuple[Operation, ...]


class SoapSandbox:
    """The ASGI application of one SOAP agency's sandbox."""

    def __init__(self, agency: SoapAgency, username: str, password: str, seed: int, state: Path) -> None:
        self._agency, self._username, self._password = agency, username, password
        self._order, self._count = Order(), 0
        self._nonces: set[str] = set()
        self._held: dict[str, dict[str, dict[str, Any]]] = {}
        state.mkdir(parents=True, exist_ok=True)
        for operation in agency.operations:
            records = {one.citizen_id: operation.record(one) for one in population(seed).values()}
            held = {identifier: record for identifier, record in records.items() if record is not None}
            (state / f"{operation.name}.json").write_bytes(orjson.dumps(held, option=orjson.OPT_INDENT_2))
            self._held[operation.name] = held

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) == ("GET", "/_sandbox/count"):
            await send_answer(send, 200, orjson.dumps({"count": self._count}))
        elif (scope["method"], scope["path"]) == ("PUT", "/_sandbox/fault"):
            order = orjson.loads(await read_body(receive))
            if order.get("fault") not in FAULTS:
                await send_answer(send, 400, orjson.dumps({"faults": FAULTS}))
                return
            self._order = Order(order["fault"], float(order.get("seconds", 2.0)), order.get("times"))
            await send_answer(send, 200, orjson.dumps({"fault": self._order.fault}))
        elif (scope["method"], scope["path"]) == ("POST", self._agency.path):
            await self._question(dict(scope["headers"]), await read_body(receive), receive, send)
        else:
            await send_answer(send, 404, b"", b"text/plain")

    async def _question(self, headers: dict[bytes, bytes], body: bytes, receive: Receive, send: Send) -> None:
        ns = ENVELOPES[self._agency.version]
        kind = TYPES[self._agency.version]
        try:
            root = parse_xml(body, headers.get(b"content-type", b"").decode("latin-1"), only=frozenset({kind}))
            element = root.find(f"{{{ns}}}Body")[0]
        except (BadAnswer, TypeError, IndexError):
            await self._fault(send, "Client", "", "", "")
            return
        if not self._let_in(root):
            await self._fault(send, "Client", "FailedAuthentication", "", "")
            return
        operation = next(
            (each for each in self._agency.operations if element.tag == f"{{{self._agency.namespace}}}{each.request}"),
            None,
        )
        action = headers.get(b"soapaction", b"").decode() or headers.get(b"content-type", b"").decode()
        asked = None if operation is None else element.find(f".//{{*}}{operation.identifier}")
        if operation is None or asked is None or f'"{operation.action}"' not in action:
            await self._fault(send, "Client", "", "", "")
            return
        self._count += 1
        fault = self._order.take()
        await self._answer(operation, asked.text or "", fault, receive, send)

    async def _answer(self, operation: Operation, identifier: str, fault: str, receive: Receive, send: Send) -> None:
        held = self._held[operation.name]
        record = held.get(identifier)
        if fault == "wrong_person":
            record = next(each for other, each in held.items() if other != identifier)
        if fault == "late":
            await asyncio.sleep(self._order.seconds)
        elif fault == "never":
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        elif fault in ("error_500", "unavailable"):
            await send_answer(send, 500 if fault == "error_500" else 503, b"<html/>", b"text/html")
            return
        elif fault == "fault":
            await self._fault(send, "Server", "", "message", "ระบบขัดข้อง")
            return
        if record is None:
            await self._fault(send, *operation.unknown)
            return
        body = self._envelope(
            f'<n:{operation.response} xmlns:n="{self._agency.namespace}">{_xml(record)}</n:{operation.response}>'
        )
        kind = TYPES[self._agency.version].encode() + b"; charset=utf-8"
        if fault == "half":
            await send_start(send, 200, kind, (b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            return
        if fault == "not_xml":
            body = b"ORA-00942 " + body[:40]
        elif fault == "mtom":
            kind = b'multipart/related; type="application/xop+xml"; boundary=x'
        elif fault == "entities":
            body = (
                b'<!DOCTYPE a [<!ENTITY e "x"><!ENTITY f SYSTEM "file:///etc/hostname">]>' + body[body.index(b"<s:") :]
            )
        await send_answer(send, 200, body, kind)

    async def _fault(self, send: Send, code: str, subcode: str, detail: str, text: str) -> None:
        told = f"<{detail}>{escape(text)}</{detail}>" if detail else ""
        if self._agency.version == "1.1":
            body = (
                f"<s:Fault><faultcode>{'w' if subcode else 's'}:{subcode or code}</faultcode>"
                f"<faultstring>ไม่สำเร็จ</faultstring><detail>{told}</detail></s:Fault>"
            )
        else:
            code = {"Client": "Sender", "Server": "Receiver"}.get(code, code)
            inner = f"<s:Subcode><s:Value>w:{subcode}</s:Value></s:Subcode>" if subcode else ""
            body = (
                f"<s:Fault><s:Code><s:Value>s:{code}</s:Value>{inner}</s:Code><s:Reason>"
                f'<s:Text xml:lang="th">ไม่สำเร็จ</s:Text></s:Reason><s:Detail>{told}</s:Detail></s:Fault>'
            )
        kind = TYPES[self._agency.version].encode() + b"; charset=utf-8"
        await send_answer(send, 500, self._envelope(body), kind)

    def _envelope(self, body: str) -> bytes:
        ns = ENVELOPES[self._agency.version]
        return (
            f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ns}" xmlns:w="{_WSSE[1:-1]}"><s:Body>'
            f"{body}</s:Body></s:Envelope>"
        ).encode()

    def _let_in(self, root: Any) -> bool:
        """Whether the UsernameToken is right, of the declared type, fresh, and its nonce new."""
        token = root.find(f".//{_WSSE}Security/{_WSSE}UsernameToken")
        if token is None or not hmac.compare_digest(
            token.findtext(f"{_WSSE}Username", "").encode(), self._username.encode()
        ):
            return False
        password = token.find(f"{_WSSE}Password")
        nonce, created = token.findtext(f"{_WSSE}Nonce", ""), token.findtext(f"{_WSU}Created", "")
        if password is None or not password.get("Type", "").endswith(
            "#PasswordDigest" if self._agency.digest else "#PasswordText"
        ):
            return False
        wanted = self._password
        if self._agency.digest:
            try:
                moment = datetime.fromisoformat(created)
            except ValueError:
                return False
            if nonce in self._nonces or abs(datetime.now(UTC) - moment) > _FRESH:
                return False
            self._nonces.add(nonce)
            made = hashlib.sha1(base64.b64decode(nonce) + created.encode() + wanted.encode(), usedforsecurity=False)
            wanted = base64.b64encode(made.digest()).decode()
        return hmac.compare_digest((password.text or "").encode(), wanted.encode())


def _xml(values: dict[str, Any]) -> str:
    """Elements in the namespace `n`, for a dict of text, numbers, dicts and lists of them."""
    made = ""
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            made += f"<n:{name}>{_xml(each) if isinstance(each, dict) else escape(str(each))}</n:{name}>"
    return made


def run_soap(agency: SoapAgency) -> None:
    """Serves a SOAP agency until SIGTERM, or until the parent process is gone."""

    def make(state: Path, seed: int) -> SoapSandbox:
        return SoapSandbox(agency, needed(agency.username), needed(agency.password), seed, state)

    serve(make)
