"""Where a connector's bytes may go: every address is checked when its socket is made.

A check of the name, or in the resolver, is passed by an IP literal and outrun by a changed DNS answer; a
check at the socket is neither. Proxies named in the environment are not used, redirects are not followed.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, Final

import aiohttp

from gateway.plugin import AgencyUnavailable

DNS_SECONDS: Final = 30
"""How long a resolved name is relied on: short enough to follow a change, long enough not to ask each time."""


class AddressNotAllowed(OSError):
    """The source's name or literal leads to an address that the gateway may not connect to."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "address not allowed")


def plain_address(address: str) -> str:
    """`address` without scope, and as IPv4 where it is an IPv4 address written as IPv6 (mapped, 6to4, NAT64)."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if inner is None and parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return str(inner)
    return str(parsed)


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def guarded_connector(
    address_allowed: Callable[[str], bool], *, connections: int, keep_alive: float, tls: SSLContext | None
) -> aiohttp.TCPConnector:
    """An aiohttp connector whose sockets are made for allowed addresses only; needs a running loop.

    `tls`: whom to trust and who we are, instead of the machine's authorities and no certificate.
    """

    def make_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if family not in (socket.AF_INET, socket.AF_INET6) or not address_allowed(plain_address(address[0])):
            raise AddressNotAllowed
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    return aiohttp.TCPConnector(
        ssl=True if tls is None else tls,
        limit=connections,
        limit_per_host=0,
        ttl_dns_cache=DNS_SECONDS,
        keepalive_timeout=keep_alive,
        socket_factory=make_socket,
    )


def allowed_address(host: str, port: int, allowed: Callable[[str], bool]) -> str:
    """The first of the host's addresses that the gateway may connect to: the one to connect to, and no other.

    Looks names up, so it belongs in a thread. Raises socket.gaierror, AgencyUnavailable (`address_not_allowed`).
    """
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if allowed(plain_address(str(address[0]))):
            return str(address[0])
    raise AgencyUnavailable("address_not_allowed")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine by name or literal."""
    return host in ("localhost", "::1") or host.startswith("127.")


def refused_address(error: BaseException) -> bool:
    """Whether a failed connection failed because its address is not allowed."""
    pending: list[BaseException | None] = [error]
    seen = 0
    while pending and seen < 32:
        one = pending.pop()
        seen += 1
        if one is None:
            continue
        if isinstance(one, AddressNotAllowed) or (isinstance(one, OSError) and one.errno == errno.EACCES):
            return True
        if isinstance(one, BaseExceptionGroup):
            pending.extend(one.exceptions)
        pending.extend((getattr(one, "os_error", None), one.__cause__))
    return False
