"""What a call to the gateway may raise.

    ClientError
     ├─ Problem            the gateway says no: an RFC 9457 problem, or an OAuth error (RFC 6749 section 5.2)
     ├─ Unreachable        no answer came: no connection, a time-out, a broken one
     ├─ UnexpectedAnswer   what came is not what the gateway sends: a proxy's page, not JSON, a redirect
     ├─ NotForUrl          nothing was sent: an id is empty, or looks like a citizen ID, which no URL may hold
     └─ UntrustedAnswer    an answer whose seal does not hold: it may be someone else's, or changed on the way

No text of these names a citizen ID or a field's value: the gateway sends none in errors, and what was asked is
never repeated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from gateway.errors import Reason


class ClientError(Exception):
    """The root of all that a call may raise."""


class Unreachable(ClientError):
    """No answer came. Whether the gateway acted on the request is then not known; its log says.

    `sent`: False where there was no connection to send it on, so that the gateway has not acted.
    """

    def __init__(self, what: str, *, sent: bool = True) -> None:
        super().__init__(what)
        self.sent = sent


class UnexpectedAnswer(ClientError):
    """Something answered, but not in the gateway's form. `status` is the HTTP status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{why} (HTTP {status})")
        self.status = status


class NotForUrl(ClientError):
    """An id that would have to go into a URL is empty, or looks like a citizen ID. Nothing was sent."""


class UntrustedAnswer(ClientError):
    """The answer's seal (RFC 9421, RFC 9530) does not hold; the answer was thrown away."""


class Problem(ClientError):
    """The gateway's refusal or failure, as it put it.

    `status`: HTTP status. `code`: stable (`denied`, `invalid_token`, … or an OAuth error code). `title`,
    `title_th`, `detail`, `detail_th`: texts, empty where it sent none. `reasons`: why, one by one, with what would
    have to change. `exchange_id`: of the exchange it was about. `retry_after`: seconds, where it named them.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str = "",
        title_th: str = "",
        detail: str = "",
        detail_th: str = "",
        reasons: tuple[Reason, ...] = (),
        exchange_id: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {title or detail}" + (f" ({title_th})" if title_th else ""))
        self.status = status
        self.code = code
        self.title = title
        self.title_th = title_th
        self.detail = detail
        self.detail_th = detail_th
        self.reasons = reasons
        self.exchange_id = exchange_id
        self.retry_after = retry_after

    def as_json(self) -> dict[str, Any]:
        """The problem as one JSON object, with what is empty left out."""
        body = {
            "status": self.status,
            "code": self.code,
            "title": self.title,
            "title_th": self.title_th,
            "detail": self.detail,
            "detail_th": self.detail_th,
            "exchange_id": self.exchange_id,
            "retry_after": self.retry_after,
            "reasons": [reason.as_json() for reason in self.reasons],
        }
        return {name: value for name, value in body.items() if value not in ("", None, [])}


def problem_of(response: httpx.Response) -> Problem | UnexpectedAnswer:
    """The exception for a response that is not a success. Takes nothing from the body on trust of its types."""
    if response.is_redirect:
        return UnexpectedAnswer(response.status_code, "a redirect, which is not followed: is the URL right?")
    try:
        body = orjson.loads(response.content)
    except ValueError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("code"), str):
        return Problem(
            response.status_code,
            body["code"],
            _text(body, "title"),
            _text(body, "title_th"),
            _text(body, "detail"),
            _text(body, "detail_th"),
            tuple(_reason(item) for item in _list(body, "reasons") if isinstance(item, dict)),
            _text(body, "exchange_id") or None,
            _seconds(response),
        )
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        detail = _text(body, "error_description")
        return Problem(response.status_code, body["error"], detail=detail, retry_after=_seconds(response))
    return UnexpectedAnswer(response.status_code, "the answer is not in the gateway's form")


def _reason(body: Mapping[str, Any]) -> Reason:
    return Reason(
        code=_text(body, "code"),
        policy=_text(body, "policy"),
        section=_text(body, "section"),
        title_en=_text(body, "title"),
        title_th=_text(body, "title_th"),
        remedy_en=_text(body, "remedy"),
        remedy_th=_text(body, "remedy_th"),
        ask=_text(body, "ask"),
        clause=_text(body, "clause"),
        fields=tuple(name for name in _list(body, "fields") if isinstance(name, str)),
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    return value if isinstance(value, list) else []


def _seconds(response: httpx.Response) -> int | None:
    value = response.headers.get("retry-after", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None
