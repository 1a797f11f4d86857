"""Where calls go: the gateway's URL, and paths in which no citizen ID ever stands."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import httpx

from gateway.client.failures import NotForUrl
from gateway.model import holds_citizen_id

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def path_of(*segments: str) -> str:
    """A path of quoted segments. NotForUrl where one could hold a citizen ID."""
    for segment in segments:
        if segment in ("", ".", "..") or _may_identify(segment):
            raise NotForUrl("an id is empty, or looks like a citizen ID, which never goes into a URL")
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def _may_identify(segment: str) -> bool:
    # The gateway's own ids (`ex_` + 26 letters and digits) may hold 13 digits by chance, but never someone's.
    prefix, _, rest = segment.partition("_")
    own = prefix.isascii() and prefix.isalpha() and len(rest) == 26 and rest.isascii() and rest.isalnum()
    return not (own and any(letter.isalpha() for letter in rest)) and holds_citizen_id(segment)


def checked_url(url: str, allow_plaintext: bool) -> str:
    """The gateway's URL without its last slash; ValueError where no token may go there."""
    try:
        httpx.URL(url)
        parts = urlsplit(url)
    except (httpx.InvalidURL, ValueError):
        raise ValueError("the gateway's URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("the gateway's URL has to be like https://gateway.example.go.th")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not allow_plaintext:
        raise ValueError("the gateway's URL has to be https: tokens and citizen IDs would travel readable by anyone")
    return url.rstrip("/")
