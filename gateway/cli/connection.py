"""The options that every command has, and the two kinds of command: `remote` ones talk to a gateway, `local` do not."""

from __future__ import annotations

import functools
import inspect
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from gateway.cli.failures import WrongUse, exit_code, told
from gateway.cli.output import Screen

if TYPE_CHECKING:
    from gateway.client import Gateway

P = ParamSpec("P")

_PANEL = "การเชื่อมต่อ / Connection"
Url = Annotated[str, typer.Option(envvar="LINKAGE_URL", help="The gateway's URL.", rich_help_panel=_PANEL)]
As = Annotated[
    str,
    typer.Option(
        "--as", envvar="LINKAGE_OPERATOR", help="Your id: an operator's, or a client's.", rich_help_panel=_PANEL
    ),
]
Key = Annotated[
    Path | None,
    typer.Option("--key", envvar="LINKAGE_KEY_FILE", help="Your private key (a JWK file).", rich_help_panel=_PANEL),
]
Issuer = Annotated[
    str,
    typer.Option(
        envvar="LINKAGE_ISSUER", help="What the gateway calls itself, if that is not its URL.", rich_help_panel=_PANEL
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(envvar="LINKAGE_CA_FILE", help="Certificates to trust (PEM).", rich_help_panel=_PANEL),
]
Plaintext = Annotated[
    bool,
    typer.Option(
        "--allow-plaintext",
        help="Allow http beyond this machine: only where TLS ends elsewhere.",
        rich_help_panel=_PANEL,
    ),
]
Dpop = Annotated[
    bool,
    typer.Option(
        "--dpop", envvar="LINKAGE_DPOP", help="Bind tokens to a key of this run (RFC 9449).", rich_help_panel=_PANEL
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class Remote:
    """What a remote command works with. `operator`: the id it acts as."""

    gateway: Gateway
    screen: Screen
    operator: str


def remote(command: Callable[Concatenate[Remote, P], None]) -> Callable[..., None]:
    """A command that is given an open connection; its options are added to the command's own."""

    def run(
        url: str,
        as_: str,
        key: Path | None,
        issuer: str,
        ca_file: Path | None,
        plaintext: bool,
        dpop: bool,
        as_json: bool,
        **own: Any,
    ) -> None:
        def connected(screen: Screen) -> None:
            with open_gateway(url, as_, key, issuer, ca_file, plaintext, dpop) as gateway:
                command(Remote(gateway, screen, as_), **own)  # type: ignore[call-arg]

        _guarded(connected, Screen(as_json=as_json))

    shared = {
        "url": (Url, "http://127.0.0.1:8440"),
        "as_": (As, ""),
        "key": (Key, None),
        "issuer": (Issuer, ""),
        "ca_file": (CaFile, None),
        "plaintext": (Plaintext, False),
        "dpop": (Dpop, False),
        "as_json": (AsJson, False),
    }
    return _with_options(command, run, shared)


def local(command: Callable[Concatenate[Screen, P], None]) -> Callable[..., None]:
    """A command that needs no gateway; `--json` is added to its own options."""

    def run(as_json: bool, **own: Any) -> None:
        _guarded(lambda screen: command(screen, **own), Screen(as_json=as_json))  # type: ignore[call-arg]

    return _with_options(command, run, {"as_json": (AsJson, False)})


def open_gateway(
    url: str,
    as_: str,
    key: Path | None,
    issuer: str = "",
    ca_file: Path | None = None,
    plaintext: bool = False,
    dpop: bool = False,
) -> Gateway:
    """A client by the connection's options, or WrongUse that says what is missing."""
    if not as_:
        raise WrongUse("ระบุรหัสของท่านด้วย --as หรือ LINKAGE_OPERATOR", "say who you are: --as ID, or LINKAGE_OPERATOR")
    if key is None:
        raise WrongUse(
            "ระบุไฟล์กุญแจของท่านด้วย --key หรือ LINKAGE_KEY_FILE (สร้างได้ด้วย `linkage keys new`)",
            "name your key file: --key FILE, or LINKAGE_KEY_FILE (`linkage keys new` makes one)",
        )
    from gateway.client import Gateway

    try:
        return Gateway(url, as_, key, ca_file=ca_file, issuer=issuer or None, allow_plaintext=plaintext, dpop=dpop)
    except ssl.SSLError:
        raise WrongUse("ไฟล์ใบรับรอง --ca-file ใช้ไม่ได้", "--ca-file holds no certificates in PEM form") from None
    except OSError as error:  # OpenSSL names no file
        raise WrongUse(
            f"อ่านไฟล์ใบรับรอง {ca_file} (--ca-file) ไม่ได้",
            f"{ca_file} (--ca-file) cannot be read: {error.strerror or type(error).__name__}",
        ) from None
    except ValueError as error:
        raise WrongUse(
            "URL ของเกตเวย์ (--url) ใช้ไม่ได้ ต้องเป็นเช่น https://gateway.example.go.th ใช้ http ได้เฉพาะเกตเวย์บนเครื่องนี้",
            str(error),
        ) from None


def _guarded(command: Callable[[Screen], None], screen: Screen) -> None:
    """Runs a command; what it raises is told, and becomes its exit code."""
    try:
        command(screen)
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get("LINKAGE_TRACEBACK") == "1":
            raise
        screen.failure(*told(error))
        raise typer.Exit(exit_code(error)) from None


def _with_options(
    command: Callable[..., None], run: Callable[..., None], shared: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    """`run` under the command's name and help, with its own parameters (but the first) and the shared ones."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, (annotation, default) in shared.items()
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        run(**given)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped
