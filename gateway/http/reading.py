"""What the edge takes of a request: its body within size and time, and its caller's address."""

from __future__ import annotations

import asyncio
import ipaddress
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from gateway.errors import MalformedRequest, RequestTimeout, TooLarge, UnsupportedMediaType
from gateway.questions import mistakes, read_object
from gateway.settings import Settings

M = TypeVar("M", bound=BaseModel)
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


async def body_of(request: Request, settings: Settings, *, media: str = JSON, limit: int | None = None) -> bytes:
    """The whole body. Raises UnsupportedMediaType, TooLarge, RequestTimeout, MalformedRequest."""
    limit = limit or settings.max_body
    headers = request.headers
    kind, _, parameters = headers.get("content-type", "").partition(";")
    if kind.strip().lower() != media or "content-encoding" in headers or not _utf8(parameters):
        raise UnsupportedMediaType(f"send {media}, UTF-8, not encoded", f"ต้องส่งเป็น {media} แบบ UTF-8")
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > limit:
        raise TooLarge(f"at most {limit} bytes", f"ไม่เกิน {limit} ไบต์")
    body = bytearray()
    try:
        async with asyncio.timeout(settings.body_timeout):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise TooLarge(f"at most {limit} bytes", f"ไม่เกิน {limit} ไบต์")
    except TimeoutError:
        raise RequestTimeout from None
    except ClientDisconnect:
        raise MalformedRequest("the request ended early", "คำขอสิ้นสุดก่อนกำหนด") from None
    return bytes(body)


def _utf8(parameters: str) -> bool:
    name, _, value = parameters.strip().lower().partition("=")
    return not name or (name.strip() == "charset" and value.strip().strip('"') in ("utf-8", "utf8"))


async def form_of(request: Request, settings: Settings, model: type[M], *, limit: int | None = None) -> M:
    """The JSON body as a pydantic model; MalformedRequest names places and kinds of mistake, never values."""
    value = read_object(await body_of(request, settings, limit=limit))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise MalformedRequest(*mistakes(error)) from None


def address_of(request: Request, settings: Settings) -> str:
    """The caller's address: the peer's, or the last hop before our own proxies where they are declared."""
    peer = _address(request.client.host if request.client else "") or ""
    if not settings.trusted_proxies or not _within(peer, tuple(settings.trusted_proxies)):
        return peer
    # A proxy may add a header line of its own behind the caller's: all lines count, the last first.
    lines = ",".join(request.headers.getlist("x-forwarded-for"))
    for text in reversed([hop.strip() for hop in lines.split(",") if hop.strip()]):
        hop = _address(text)
        if hop is None:
            return peer
        if not _within(hop, tuple(settings.trusted_proxies)):
            return hop
    return peer


@lru_cache(maxsize=4096)
def _address(text: str) -> str | None:
    """The IP address, in its one form: a dual-stack socket shows IPv4 callers as `::ffff:a.b.c.d`.

    None where it is none: such a text is nobody's address, and is not to be counted and so written down.
    """
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return None
        return str(ip.ipv4_mapped or ip)
    return text


@lru_cache(maxsize=4096)
def _within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(block, strict=False) for block in networks)
