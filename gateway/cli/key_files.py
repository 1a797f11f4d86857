"""`linkage keys new`, and reading the public keys that are registered for clients and operators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from gateway.cli.connection import local
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import Screen, json_text
from gateway.keys import new_key, public_key, write_key

app = typer.Typer(help="กุญแจ / Keys", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """กุญแจ / Keys"""


@app.command("new")
@local
def new(
    screen: Screen,
    out: Annotated[Path, typer.Option(help="Where to write the private key; nothing is overwritten.")],
    alg: Annotated[Literal["EdDSA", "ES256"], typer.Option(help="What it signs with.")] = "EdDSA",
    kid: Annotated[str | None, typer.Option(help="The key's id; its thumbprint (RFC 7638) unless given.")] = None,
) -> None:
    """สร้างกุญแจส่วนตัว / Makes a private key that only you can read, and prints its public half for registration."""
    jwk = new_key(alg, kid)
    try:
        write_key(out, jwk)
    except FileExistsError:
        if not out.is_file():
            raise
        raise Refused(f"มีไฟล์ {out} อยู่แล้ว จึงไม่เขียนทับ", f"{out} is there already, and is not overwritten") from None
    public = public_key(jwk)

    def render() -> None:
        screen.say(f"เขียนกุญแจส่วนตัวไว้ที่ {out}", f"the private key is in {out}: keep it, and show it to no one")
        screen.say("กุญแจสาธารณะสำหรับลงทะเบียน:", "the public key, to register:")
        screen.raw(json_text(public) + "\n")

    screen.show(public, render)


def read_public(path: Path) -> dict[str, Any]:
    """The public half of the JWK in a file (which may hold a private one), or WrongUse."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"อ่านไฟล์กุญแจ {path} ไม่ได้", f"{path} cannot be read: {error.strerror}") from None
    try:
        return public_half(orjson.loads(content))
    except ValueError:
        raise WrongUse(f"ไฟล์ {path} ไม่ใช่กุญแจ JWK ที่ใช้ได้", f"{path} is not an Ed25519 or P-256 JWK with a kid") from None


def public_half(jwk: Any) -> dict[str, Any]:
    """A JWK's public half, or ValueError."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str):
        raise ValueError("not a JWK with a kid")
    try:
        return public_key(jwk)
    except ValueError:
        raise
    except Exception:
        raise ValueError("not a key") from None
