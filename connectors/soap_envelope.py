"""SOAP 1.1 and 1.2 envelopes: the question with its gap for the identifier, and what an answer's envelope holds.

Document/literal only. WS-Security UsernameToken (OASIS, Username Token Profile 1.1.1) with the password as text
or as digest: Base64(SHA-1(nonce + created + password)), a new nonce each time.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape

from lxml import etree

from connectors.json_answer import BadAnswer
from connectors.rest_auth import Secret, resolved
from connectors.xml_answer import values_of
from gateway.plugin import AgencyUnavailable

ENVELOPES: Final = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
TYPES: Final = {"1.1": "text/xml", "1.2": "application/soap+xml"}
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_WSSE: Final = f"{_WSS}wssecurity-secext-1.0.xsd"
_WSU: Final = f"{_WSS}wssecurity-utility-1.0.xsd"
_TOKEN: Final = f"{_WSS}username-token-profile-1.0#Password"
_BASE64: Final = f"{_WSS}soap-message-security-1.0#Base64Binary"
_MARK: Final = "identifier-goes-here-7d1f"
FAULT: Final = "Fault"
"""The key under which a fault is shown to the settings' rules: `/Fault/code`, `/Fault/subcode`, `/Fault/detail/…`."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A question with two gaps: the security header, and the identifier."""

    version: str
    headers: Mapping[str, str]
    before: str
    middle: str
    after: str
    security: Mapping[str, Any] | None
    secret: Secret = field(repr=False)

    def build(self, identifier: str) -> bytes:
        """The question about `identifier`. Raises AgencyUnavailable (`secret_missing`, `secret_unusable`)."""
        header = "" if self.security is None else _username_token(self.security, self.secret)
        return f"{self.before}{header}{self.middle}{escape(identifier)}{self.after}".encode()


def compile_envelope(settings: Mapping[str, Any], secret: Secret) -> Envelope:
    """The envelope that the settings describe; ValueError where its parameters contradict each other."""
    version, action = settings["version"], settings.get("action", "")
    ns = ENVELOPES[version]
    request = settings["request"]
    namespace = request["namespace"]
    element = etree.Element(etree.QName(namespace, request["element"]), nsmap={"q": namespace})
    prefix = f"{{{namespace}}}" if request.get("qualified", True) else ""
    for parameter in request["parameters"]:
        node = element
        *way, last = parameter["at"].split("/")[1:]
        if node.text:
            raise ValueError("a parameter inside a value")
        for step in way:
            found = node.find(prefix + step)
            node = etree.SubElement(node, prefix + step) if found is None else found
            if node.text:
                raise ValueError("a parameter inside a value")
        if node.find(prefix + last) is not None:
            raise ValueError("a parameter twice")
        etree.SubElement(node, prefix + last).text = parameter.get("value", _MARK)
    body = etree.tostring(element, encoding="unicode")
    first, mark, rest = body.partition(_MARK)
    if not mark or _MARK in rest:
        raise ValueError("the identifier's place is not clear")
    kind = TYPES[version]
    headers = {"Accept": kind, "Accept-Encoding": "identity"}
    if version == "1.1":
        headers |= {"Content-Type": f"{kind}; charset=utf-8", "SOAPAction": f'"{action}"'}
    else:
        headers["Content-Type"] = f"{kind}; charset=utf-8" + (f'; action="{action}"' if action else "")
    start = f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{ns}"><s:Header>'
    return Envelope(
        version=version,
        headers=headers,
        before=start,
        middle=f"</s:Header><s:Body>{first}",
        after=f"{rest}</s:Body></s:Envelope>",
        security=settings.get("security"),
        secret=secret,
    )


def opened(root: Any, version: str, response: Mapping[str, str]) -> Any:
    """What an answer's body holds: the response element's values, or {"Fault": …}. Raises BadAnswer.

    Faults of the reading: `not_soap` (no envelope of the version, or not one body), `response` (another element).
    """
    ns = ENVELOPES[version]
    body = root.find(f"{{{ns}}}Body") if root.tag == f"{{{ns}}}Envelope" else None
    if body is None or len(body) != 1 or len(root.findall(f"{{{ns}}}Body")) != 1:
        raise BadAnswer("not_soap")
    element = body[0]
    if element.tag == f"{{{ns}}}Fault":
        return {FAULT: _fault(element, ns, version)}
    if element.tag != f"{{{response['namespace']}}}{response['element']}":
        raise BadAnswer("response")
    values = values_of(element)
    return values if isinstance(values, dict) else {}


def _fault(element: Any, ns: str, version: str) -> dict[str, Any]:
    """A fault's code, subcode (local names of the QNames) and detail. Its reason is its own words and stays out."""
    if version == "1.1":
        code, subcode, detail = element.findtext("faultcode"), None, element.find("detail")
    else:
        code = element.findtext(f"{{{ns}}}Code/{{{ns}}}Value")
        subcode = None
        for value in element.iterfind(f"{{{ns}}}Code//{{{ns}}}Subcode/{{{ns}}}Value"):
            subcode = value.text
        detail = element.find(f"{{{ns}}}Detail")
    return {"code": _local(code), "subcode": _local(subcode), "detail": None if detail is None else values_of(detail)}


def _local(name: str | None) -> str | None:
    return None if name is None else name.strip().rpartition(":")[2]


def _username_token(security: Mapping[str, Any], secret: Secret) -> str:
    name, password = resolved(secret, security["username"]), resolved(secret, security["password"])
    if not (name.isprintable() and password.isprintable()):
        raise AgencyUnavailable("secret_unusable")
    nonce, created = os.urandom(16), datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    kind = "Text"
    if security["scheme"] == "username_digest":
        # SHA-1 is what the profile prescribes; the nonce and TLS are what protect it.
        digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
        kind, password = "Digest", base64.b64encode(digest).decode()
    return (
        f'<w:Security xmlns:w="{_WSSE}" xmlns:u="{_WSU}" s:mustUnderstand="1"><w:UsernameToken>'
        f"<w:Username>{escape(name)}</w:Username>"
        f'<w:Password Type="{_TOKEN}{kind}">{escape(password)}</w:Password>'
        f'<w:Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</w:Nonce>'
        f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )
