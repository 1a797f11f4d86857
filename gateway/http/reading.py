"""What the edge takes of a request: its body within size and time, and its caller's address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import re
from base64 import b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from gateway.errors import MalformedRequest, RequestTimeout, TooLarge, UnsupportedMediaType
from gateway.identity import Presented
from gateway.questions import mistakes, read_object
from gateway.settings import Settings

M = TypeVar("M", bound=BaseModel)
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
_DIGEST = re.compile(r"([a-z][a-z0-9-]*)=(:[A-Za-z0-9+/]*={0,2}:)", re.ASCII)
_DIGESTS = {"sha-256": "sha256", "sha-512": "sha512"}


async def body_of(request: Request, settings: Settings, *, media: str = JSON, limit: int | None = None) -> bytes:
    """The whole body, which is what its Content-Digest says where it has one.

    Raises UnsupportedMediaType, TooLarge, RequestTimeout, MalformedRequest.
    """
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
    whole = bytes(body)
    digest = content_digest(request)
    if digest is not None:
        _require_digest(digest, whole)
    return whole


def content_digest(request: Request) -> str | None:
    """The request's Content-Digest field (RFC 9530), its lines joined as RFC 9421 section 2.1 joins them."""
    lines = request.headers.getlist("content-digest")
    return ", ".join(line.strip() for line in lines) if lines else None


def _require_digest(field: str, body: bytes) -> None:
    """MalformedRequest unless the field names sha-256 or sha-512, and whichever it names are this body's."""
    members = [_DIGEST.fullmatch(member.strip()) for member in field.split(",")]
    given = [(found[1], found[2]) for found in members if found is not None and found[1] in _DIGESTS]
    if None in members or not given:
        raise MalformedRequest(
            "Content-Digest is not as RFC 9530 has it, with sha-256 or sha-512",
            "Content-Digest ต้องเป็นไปตาม RFC 9530 และใช้ sha-256 หรือ sha-512",
        )
    for name, value in given:
        if not hmac.compare_digest(_bytes(value), hashlib.new(_DIGESTS[name], body).digest()):
            raise MalformedRequest(
                "the body is not the one that Content-Digest was made of: it was changed on its way",
                "เนื้อหาไม่ตรงกับ Content-Digest อาจถูกแก้ไขระหว่างทาง",
            )


def _bytes(value: str) -> bytes:
    """A Byte Sequence of RFC 9651 (`:base64:`); empty where it is not one."""
    if len(value) < 2 or value[0] != ":" or value[-1] != ":":
        return b""
    try:
        return b64decode(value[1:-1], validate=True)
    except ValueError:
        return b""


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


def presented(request: Request, settings: Settings) -> Presented:
    """What the request shows of its sender. MalformedRequest for a proxy's Client-Cert that cannot be read."""
    headers, raw_path = request.headers, request.scope.get("raw_path")
    return Presented(
        authorization=headers.get("authorization"),
        address=address_of(request, settings),
        method=request.method,
        path=raw_path.decode("latin-1") if raw_path else request.scope["path"],
        proofs=tuple(headers.getlist("dpop")),
        certificate=_certificate(request, settings) if settings.trusted_proxies else None,
    )


def _certificate(request: Request, settings: Settings) -> str | None:
    """The hash of the client certificate that the proxy in front has checked (RFC 9440), base64url.

    Anyone can send the header: it counts only on a connection from a trusted proxy, which has to take a caller's
    own away. From anywhere else it is as if it were not there.
    """
    lines = request.headers.getlist("client-cert")
    peer = _address(request.client.host if request.client else "") or ""
    if not lines or not _within(peer, tuple(settings.trusted_proxies)):
        return None
    certificate = _bytes(lines[0].strip()) if len(lines) == 1 else b""
    if not certificate:
        raise MalformedRequest("Client-Cert is not one certificate as RFC 9440 has it", "ส่วนหัว Client-Cert ไม่ถูกต้อง")
    return urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()


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
