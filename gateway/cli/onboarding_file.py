"""The onboarding file: all that a new agency, or a whole sandbox, registers, as one YAML document.

    agencies:   [{id, title: {th, en}, contact}]
    groups:     [{id, title, members: [agency]}]
    clients:    [{id, agency, title, keys: [FILE or public JWK], scopes, networks, clearance, cross_border,
                  token_binding}]
    officers:   [{client, code} or {client, codes: [code]}]
    operators:  [{id, name, role, agency, keys: [FILE or public JWK]}]
    purposes:   [{code, title, authority, replaces: [{th, en}]}]
    connectors: [FOLDER, or {folder, endpoint: URL, endpoints: {service: URL}}]
    agreements: [the agreement's form, or {file: FILE}]

File and folder names are relative to the file. Here it is read and checked by itself: each item against its act's
form, ids against each other. What the gateway already holds comes later (`gateway.cli.onboarding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.cli.acts import faults_of, placed
from gateway.cli.connector_folders import read_registration
from gateway.cli.failures import WrongUse
from gateway.cli.key_files import public_half, read_public
from gateway.cli.yaml_files import YamlFile, read_yaml

Json = dict[str, Any]

SECTIONS: dict[str, tuple[str, str]] = {
    "agencies": ("agency", "agency.add"),
    "groups": ("group", "group.add"),
    "clients": ("client", "client.add"),
    "officers": ("officer", "officer.add"),
    "operators": ("operator", "operator.add"),
    "purposes": ("purpose", "purpose.add"),
    "connectors": ("connector", "connector.register"),
    "agreements": ("agreement", "agreement.propose"),
}
"""Section -> (register, act), in the order in which they are carried out."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to register. `at`: where it stands in the file, for messages."""

    kind: str
    id: str
    act: str
    body: Json = field(repr=False)
    at: str


def read_onboarding(path: Path) -> list[Item]:
    """The items of an onboarding file in the order to carry them out; WrongUse lists everything that does not fit."""
    file = read_yaml(path)
    faults = [
        f"{file.at([name])}: ไม่มีหมวด `{name}` / there is no section `{name}`"
        for name in file.body
        if name not in SECTIONS
    ]
    items: list[Item] = []
    for section in SECTIONS:
        entries = file.body.get(section)
        if entries is not None and not isinstance(entries, list):
            faults.append(f"{file.at([section])}: {section} ต้องเป็นรายการ / {section} has to be a list")
        for number in range(len(entries) if isinstance(entries, list) else 0):
            found, wrong = _read_entry(file, section, number)
            items += found
            faults += wrong
    faults += _doubled(items)
    if faults:
        raise WrongUse(f"ไฟล์ {path} ยังใช้ไม่ได้", f"{path} does not fit; nothing was sent", faults)
    if not items:
        raise WrongUse(f"ไฟล์ {path} ไม่มีรายการ", f"{path} holds nothing to register")
    return items


def _read_entry(file: YamlFile, section: str, number: int) -> tuple[list[Item], list[str]]:
    """One entry of a section as items, and what is wrong with it."""
    kind, act = SECTIONS[section]
    at = f"{file.at([section, number])}: {section}[{number}]"
    try:
        bodies = list(_BODIES[section](file.body[section][number], file.path.parent))
    except WrongUse as error:
        return [], [f"{at}: {text}" for text in (error.details or (f"{error.thai} / {error.english}",))]
    items, faults = [], []
    for body in bodies:
        wrong = faults_of(act, body)
        faults += [
            f"{file.at([section, number, *place])}: {section}[{number}].{placed(place, what)}" for place, what in wrong
        ]
        if not wrong:
            items.append(Item(kind, id_of(kind, body), act, body, at))
    return items, faults


def id_of(kind: str, body: Mapping[str, Any]) -> str:
    """The id under which a register keeps what this body adds."""
    if kind == "officer":
        return f"{body['client']}:{body['code']}"
    if kind == "connector":
        return str(body["registration"]["id"])
    return str(body["code"] if kind == "purpose" else body["id"])


def _doubled(items: list[Item]) -> list[str]:
    seen: dict[tuple[str, str], str] = {}
    faults = []
    for item in items:
        if (item.kind, item.id) in seen:
            first = seen[item.kind, item.id]
            faults.append(f"{item.at}: {item.kind} {item.id} ซ้ำกับ {first} / is there already, at {first}")
        seen[item.kind, item.id] = item.at
    return faults


def _plain(entry: Any, folder: Path) -> Iterator[Json]:
    yield _mapping(entry)


def _with_keys(entry: Any, folder: Path) -> Iterator[Json]:
    body = _mapping(entry)
    keys = body.get("keys")
    if isinstance(keys, list):
        body["keys"] = [read_public(folder / key) if isinstance(key, str) else _public(key) for key in keys]
    yield body


def _public(key: Any) -> Any:
    try:
        return public_half(key)
    except ValueError:
        raise WrongUse("กุญแจใช้ไม่ได้", "keys: not an Ed25519 or P-256 JWK with a kid") from None


def _officers(entry: Any, folder: Path) -> Iterator[Json]:
    body = _mapping(entry)
    codes = body.pop("codes", None)
    if codes is None:
        yield body
    elif not isinstance(codes, list) or "code" in body:
        raise WrongUse("ระบุ code หรือ codes", "give code, or codes as a list")
    else:
        yield from ({**body, "code": code} for code in codes)


def _connector(entry: Any, folder: Path) -> Iterator[Json]:
    body = {"folder": entry} if isinstance(entry, str) else _mapping(entry)
    name, endpoint = body.pop("folder", None), body.pop("endpoint", None)
    endpoints: Any = body.pop("endpoints", {})
    if body or not isinstance(name, str) or not isinstance(endpoint, str | None) or not _texts(endpoints):
        raise WrongUse("ระบุโฟลเดอร์", "give a folder, or {folder, endpoint: URL, endpoints: {service: URL}}")
    yield {"registration": read_registration(folder / name, endpoint, endpoints).as_json()}


def _agreement(entry: Any, folder: Path) -> Iterator[Json]:
    body = _mapping(entry)
    if set(body) == {"file"} and isinstance(body["file"], str):
        yield read_yaml(folder / body["file"]).body
    else:
        yield body


def _mapping(entry: Any) -> Json:
    if not isinstance(entry, dict):
        raise WrongUse("ต้องเป็นรายการแบบ key: value", "has to be a mapping")
    return dict(entry)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


_BODIES: dict[str, Callable[[Any, Path], Iterator[Json]]] = {
    "agencies": _plain,
    "groups": _plain,
    "clients": _with_keys,
    "officers": _officers,
    "operators": _with_keys,
    "purposes": _plain,
    "connectors": _connector,
    "agreements": _agreement,
}
