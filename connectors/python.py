"""The connector kind `python`: trusted code, a package installed beside the gateway. Settings: `python.schema.json`.

    1. find the entry point in the group `linkage.connectors`: exactly one package has it
    2. digest the package's files; what is not as approved does not run
    3. load it, hold its own settings against its own SETTINGS_SCHEMA, open its connector

A package's module says what a kind's does: a callable `(ConnectorSettings) -> Connector` behind the entry point, and
`SETTINGS_SCHEMA`. It runs with the gateway's own rights: its code is read before it is approved, and the digest keeps
what was read. The digest covers the package's own files and
where the entry point leads; neither what it depends on (the machine's lock does) nor compiled copies (`__pycache__`).

Nothing of a package is imported before its digest was approved: registering and approving only read files.

Faults it tells: connector_missing, connector_ambiguous, connector_changed, connector_settings, connector_broken;
connector_restart, where the files are as approved and this process still runs what was there before.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import orjson

from gateway.plugin import AgencyUnavailable, Connector, ConnectorSettings

__all__ = ["SETTINGS_SCHEMA", "check_folder", "check_machine", "open_connector", "package_digest"]

SETTINGS_SCHEMA: Final[dict[str, Any]] = orjson.loads((Path(__file__).parent / "python.schema.json").read_bytes())

_GROUP: Final = "linkage.connectors"
_OURS: Final = "linkage-gateway"
_MOST_FILES: Final = 5_000
_MOST_BYTES: Final = 256 << 20

_loaded: Final[dict[str, str]] = {}
"""Top-level module -> the digest that its files had when this process imported it."""

Opener = Callable[[ConnectorSettings], Connector]


class NotAsApproved(Exception):
    """`fault`: why the package may not run."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def open_connector(settings: ConnectorSettings) -> Connector:
    """The package's own connector. Raises AgencyUnavailable where it is not the package that was approved."""
    fault = ""
    try:
        entry = _found(settings.settings["connector"])
        digest = package_digest(entry)
        if digest != settings.settings["digest"]:
            raise NotAsApproved("connector_changed")
        opener, schema = _imported(entry, digest)
        own = settings.settings.get("settings", {})
        if not jsonschema_rs.Draft202012Validator(schema, offline=True).is_valid(own):
            raise NotAsApproved("connector_settings")
        return opener(replace(settings, settings=own))
    except NotAsApproved as refused:
        fault = refused.fault
    except Exception:  # a stranger's package may fail in any way of its own, and its words are dropped
        fault = "connector_broken"
    raise AgencyUnavailable(fault)


def check_machine(settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What does not hold on this machine now: the package is not there, or is not of this digest. Runs none of it."""
    try:
        digest = package_digest(_found(settings["connector"]))
    except NotAsApproved as refused:
        yield ("/settings/connector", *_WORDS[refused.fault])
        return
    if digest != settings["digest"]:
        yield (
            "/settings/digest",
            f"the installed package's files are not of this digest: they are {digest}",
            f"แฟ้มของแพ็กเกจที่ติดตั้งไม่ตรงกับค่าแฮชนี้ ค่าของแพ็กเกจคือ {digest}",
        )


def check_folder(folder: Path, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """At the desk of whoever writes agency.yaml: all of the above, and what the package says of its own settings."""
    wrong = list(check_machine(settings))
    yield from wrong
    if wrong:
        return
    own = settings.get("settings", {})
    try:
        entry = _found(settings["connector"])
        _, schema = _imported(entry, settings["digest"])
        validator = jsonschema_rs.Draft202012Validator(schema, offline=True, mask="(value)")
        for error in validator.iter_errors(own):
            place = "".join(f"/{step}" for step in error.instance_path)
            yield (
                f"/settings/settings{place}",
                f"the package does not take this ({error.kind.name})",
                f"แพ็กเกจไม่รับค่านี้ ({error.kind.name})",
            )
    except NotAsApproved as refused:
        yield ("/settings/connector", *_WORDS[refused.fault])
    except Exception as error:
        kind = type(error).__name__
        yield ("/settings/connector", f"the package does not load: {kind}", f"โหลดแพ็กเกจไม่ได้: {kind}")


def package_digest(entry: EntryPoint) -> str:
    """`sha256:…` over where the entry point leads and every file of its top-level package, in the order of names.

    Raises NotAsApproved where there are no such files.
    """
    whole = hashlib.sha256(f"{entry.name}={entry.value}\n".encode())
    for name, file in _files(entry.module.partition(".")[0]):
        held = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{held}  {name}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _found(name: str) -> EntryPoint:
    """The one installed entry point of this name that is not the gateway's own."""
    importlib.invalidate_caches()
    named = [each for each in entry_points(group=_GROUP, name=name) if each.dist is None or each.dist.name != _OURS]
    places = {(each.value, str(each.dist and each.dist.name)) for each in named}
    if not named:
        raise NotAsApproved("connector_missing")
    if len(places) > 1:
        raise NotAsApproved("connector_ambiguous")
    return named[0]


def _files(top: str) -> list[tuple[str, Path]]:
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        raise NotAsApproved("connector_missing")
    roots = list(spec.submodule_search_locations or ())
    if len(roots) > 1 or (roots and spec.origin is None):  # a namespace, of which anyone may be a part
        raise NotAsApproved("connector_ambiguous")
    if not roots:
        return [(Path(str(spec.origin)).name, Path(str(spec.origin)))]
    root, found, size = Path(roots[0]), [], 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        for name in names:
            file = Path(folder) / name
            size += file.stat().st_size
            found.append((file.relative_to(root.parent).as_posix(), file))
            if len(found) > _MOST_FILES or size > _MOST_BYTES:
                raise NotAsApproved("connector_broken")
    return sorted(found)


def _imported(entry: EntryPoint, digest: str) -> tuple[Opener, dict[str, Any]]:
    """(what opens its connectors, its settings' schema) of files that have `digest`."""
    top = entry.module.partition(".")[0]
    if _loaded.setdefault(top, digest) != digest:
        raise NotAsApproved("connector_restart")
    opener = entry.load()
    module = importlib.import_module(entry.module)
    schema = getattr(module, "SETTINGS_SCHEMA", None)
    if not callable(opener) or not isinstance(schema, dict):
        raise NotAsApproved("connector_broken")
    return opener, schema


_WORDS: Final = {
    "connector_missing": (
        "no installed package has this entry point in the group linkage.connectors",
        "ไม่มีแพ็กเกจที่ติดตั้งซึ่งมี entry point ชื่อนี้ในกลุ่ม linkage.connectors",
    ),
    "connector_ambiguous": (
        "more than one package has this entry point, or its package is a namespace",
        "มีแพ็กเกจมากกว่าหนึ่งที่มี entry point ชื่อนี้ หรือเป็น namespace package",
    ),
    "connector_broken": (
        "the package has too many files, or no SETTINGS_SCHEMA",
        "แพ็กเกจมีแฟ้มมากเกินไป หรือไม่มี SETTINGS_SCHEMA",
    ),
    "connector_restart": (
        "this process has loaded the package as it was before: start it anew",
        "โปรเซสนี้โหลดแพ็กเกจรุ่นก่อนไว้แล้ว ต้องเริ่มใหม่",
    ),
}
