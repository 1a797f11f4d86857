"""`make licences`: every package that the image carries, with its licence, against the list of those that may be there.

Reads what pip-licenses found (JSON) on standard input. Ends with 1 where a package's licence is not allowed, where it
has none, or where an exception is for a package that is no longer there.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import yaml

LIST = Path(__file__).with_name("licences.yaml")


def is_allowed(text: str, allowed: set[str]) -> bool:
    """Whether all of a licence may be there: a name, a list of names (`;`), or an SPDX expression with AND and OR."""
    if text in allowed:
        return True
    if not re.search(r"\b(AND|OR)\b", text):
        names = [name.strip() for name in text.split(";")]
        return len(names) > 1 and all(name in allowed for name in names)
    parts = [part.strip() for part in re.split(r"([()]|\bAND\b|\bOR\b)", text) if part.strip()]
    good = _any_of(parts, allowed)
    return good and not parts


def _any_of(parts: list[str], allowed: set[str]) -> bool:
    good = _all_of(parts, allowed)
    while parts and parts[0] == "OR":
        parts.pop(0)
        good = _all_of(parts, allowed) or good
    return good


def _all_of(parts: list[str], allowed: set[str]) -> bool:
    good = _one(parts, allowed)
    while parts and parts[0] == "AND":
        parts.pop(0)
        good = _one(parts, allowed) and good
    return good


def _one(parts: list[str], allowed: set[str]) -> bool:
    first = parts.pop(0) if parts else ""
    if first != "(":
        return first in allowed
    good = _any_of(parts, allowed)
    return bool(parts) and parts.pop(0) == ")" and good


def main() -> int:
    """Prints every package, and says which may not be there."""
    rules = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    allowed, despite = set(rules["allowed"]), dict(rules["despite"])
    packages = sorted(json.load(sys.stdin), key=lambda package: package["Name"].lower())
    if len(packages) < 20:
        print("จำนวนแพ็กเกจน้อยเกินไป / so few packages cannot be the image's", file=sys.stderr)
        return 1
    wrong = []
    for package in packages:
        name, licence = package["Name"].lower().replace("_", "-"), " ".join(package["License"].split())
        good = is_allowed(licence, allowed)
        excused = not good and name in despite
        mark = "✓" if good else "·" if excused else "✗"
        print(f"{mark} {package['Name']} {package['Version']}: {licence[:90]}{' (see below)' if excused else ''}")
        if excused:
            despite[name] = f"{licence[:60]} — {despite[name].strip()}"
        elif not good:
            wrong.append(package["Name"])
    names = {package["Name"].lower().replace("_", "-") for package in packages}
    for name in sorted(rules["despite"]):
        print(f"{name}: {despite[name]}" if name in names else f"✗ {name}: excused in {LIST.name}, and no longer there")
    gone = [name for name in rules["despite"] if name not in names]
    if wrong or gone:
        print(f"ไม่อนุญาต / not allowed, or out of date: {', '.join([*wrong, *gone])} ({LIST.name})", file=sys.stderr)
        return 1
    print(f"{len(packages)} แพ็กเกจ สัญญาอนุญาตใช้ได้ทั้งหมด / packages, all with licences that may be there")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
