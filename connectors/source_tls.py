"""TLS toward a source: whose certificates count, and the one that we show (mutual TLS), by secret reference.

What a reference leads to is in memory only: OpenSSL reads a key from a file, which here has no name on any disk.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

from connectors.rest_auth import Secret, resolved
from gateway.plugin import AgencyUnavailable


def tls_context(tls: Mapping[str, Any], secret: Secret) -> ssl.SSLContext | None:
    """The context that the settings' `tls` describes; None: the machine's authorities, and no certificate of ours.

    Raises AgencyUnavailable (`secret_missing`; `secret_unusable` where what was found is no certificate, no key, or
    the key of another certificate).
    """
    if "ca" not in tls and "certificate" not in tls:
        return None
    authorities = resolved(secret, tls["ca"]) if "ca" in tls else None
    chain = None
    if "certificate" in tls:
        chain = f"{resolved(secret, tls['certificate'])}\n{resolved(secret, tls['key'])}\n"
    try:
        context = ssl.create_default_context(cadata=authorities)
        if chain is not None:
            with InMemory(chain) as path:
                # OpenSSL would ask for the passphrase of an encrypted key on the terminal.
                context.load_cert_chain(path, password="")
    except (ssl.SSLError, ValueError, OSError):
        pass  # the error's text may quote what was found
    else:
        return context
    raise AgencyUnavailable("secret_unusable")


class InMemory:
    """A text as a file that only this process can open, while it is held."""

    def __init__(self, text: str) -> None:
        self._descriptor: int | None = os.memfd_create("secret")
        os.fchmod(self._descriptor, 0o600)  # libpq reads no key that others could
        with os.fdopen(os.dup(self._descriptor), "wb") as file:
            file.write(text.encode())

    @property
    def path(self) -> str:
        """Where it can be opened."""
        return f"/proc/self/fd/{self._descriptor}"

    def close(self) -> None:
        """Forgets it."""
        held, self._descriptor = self._descriptor, None
        if held is not None:
            os.close(held)

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()
