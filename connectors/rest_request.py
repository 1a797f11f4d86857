"""How a `rest` connector's request looks, worked out once: only the identifier is put in at each question."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from yarl import URL

_MARK: Final = "identifier-goes-here-7d1f"


@dataclass(frozen=True, slots=True)
class RequestForm:
    """A request with a gap for the identifier in its body, URL or headers."""

    method: str
    where: str
    headers: Mapping[str, str]
    url: URL | None
    url_parts: tuple[str, str] = ("", "")
    body_parts: tuple[bytes, bytes] | None = None
    fixed_body: bytes | None = None
    header: str = ""
    as_integer: bool = field(default=False)

    def build(self, identifier: str) -> tuple[URL, bytes | None, dict[str, str]]:
        """URL, body and headers of the request about `identifier`."""
        headers = dict(self.headers)
        url, body = self.url, self.fixed_body
        if self.body_parts is not None:
            written = str(int(identifier)) if self.as_integer else identifier
            body = self.body_parts[0] + written.encode() + self.body_parts[1]
        elif self.where == "header":
            headers[self.header] = identifier
        if url is None:
            url = URL(self.url_parts[0] + quote(identifier, safe="") + self.url_parts[1], encoded=True)
        return url, body, headers


def compile_request(endpoint: str, settings: Mapping[str, Any]) -> RequestForm:
    """The form of every request of a service; ValueError where the body has no place for the identifier."""
    where, at = settings["identifier"]["in"], settings["identifier"].get("at", "")
    base = endpoint.rstrip("/") + quote(settings["path"], safe="/%:@!$&'()*+,;=~{}")
    query = urlencode(settings.get("query", {}))
    kind = "application/xml, text/xml" if settings.get("format") == "xml" else "application/json"
    headers = {"Accept": kind, "Accept-Encoding": "identity", **settings.get("headers", {})}
    url: URL | None = None
    url_parts = ("", "")
    if where == "query":
        url_parts = (f"{base}?{query + '&' if query else ''}{at}=", "")
    elif where == "path":
        before, _, after = base.partition("{identifier}")
        url_parts = (before, after + (f"?{query}" if query else ""))
    else:
        url = URL(base + (f"?{query}" if query else ""), encoded=True)
    body_parts, fixed_body = None, None
    as_integer = settings["identifier"].get("as") == "integer"
    if settings["method"] == "POST":
        headers["Content-Type"] = "application/json"
        body = deepcopy(dict(settings.get("body", {})))
        if where == "body":
            body_parts = _split(body, at, as_integer)
        else:
            fixed_body = orjson.dumps(body)
    return RequestForm(
        settings["method"], where, headers, url, url_parts, body_parts, fixed_body, at, as_integer=as_integer
    )


def _split(body: dict[str, Any], at: str, as_integer: bool) -> tuple[bytes, bytes]:
    """The JSON body in front of the identifier and behind it."""
    *way, last = (step.replace("~1", "/").replace("~0", "~") for step in at.split("/")[1:])
    node: Any = body
    for step in way:
        node = node.setdefault(step, {}) if isinstance(node, dict) else _item(node, step)
    if not isinstance(node, dict):
        raise ValueError("no object to put the identifier in")
    node[last] = _MARK
    mark = f'"{_MARK}"' if as_integer else _MARK
    parts = orjson.dumps(body).split(mark.encode())
    if len(parts) != 2:
        raise ValueError("the identifier's place is not clear")
    return parts[0], parts[1]


def _item(node: Any, step: str) -> Any:
    if isinstance(node, list) and step.isascii() and step.isdigit() and int(step) < len(node):
        return node[int(step)]
    raise ValueError("no such place in the body")
