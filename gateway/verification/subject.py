"""`linkage report verify`: that a report about one person leaves nothing out, offline, by the log's verifier key alone.

1 the map's entry is in the log, and says of which size it is, how many subjects it has, and its root
2 of the person's names one has a count in that map, or none has: shown by the map's leaves
3 the entries are in the log, and each counts one of these names; their counters and `previous` make one chain, and
  what moves the counter from name to name says so
4 as many of them lie before the map's size as it counts, but for those of forgotten months, which come first
5 every exchange among them that was decided in the report's time is in its list, also where it is told of later
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.exchangelog.completeness import FORMAT
from gateway.tlog.countmap import Place, check_absent, check_count
from gateway.tlog.merkle import ProofError
from gateway.tlog.note import VerifierKey
from gateway.verification.document import NotADocument, check_entry, group_of, is_entry
from gateway.verification.findings import Report
from gateway.verification.keys import followed


class Unproved(Exception):
    """A report about a person that carries nothing to show that it is complete.

    `why`: `agency` (it is one agency's DPO's, who is told of that agency's accesses alone), `partial` (it says itself
    that it has not all), `unmapped` (the log could not show it then).
    """

    def __init__(self, why: str, accesses: int) -> None:
        super().__init__(why)
        self.why = why
        self.accesses = accesses


def read_report(text: bytes) -> dict[str, Any]:
    """A report about a person with what shows that it is complete. Unproved without that; NotADocument otherwise."""
    try:
        report = orjson.loads(text)
        if report["report"] == "subject" and report.get("completeness") is None:
            why = "agency" if "counted" not in report else "unmapped" if report["complete"] else "partial"
            raise Unproved(why, len(report["accesses"]))
        proof = report["completeness"]
        good = (
            report["report"] == "subject"
            and proof["format"] == FORMAT
            and is_entry(proof["map"])
            and all(is_entry(entry) and entry["groups"] is not None for entry in proof["entries"])
            and len(proof["names"]) == len(proof["places"]) > 0
            and report["subject"] == proof["names"][0]
            and all(isinstance(access["exchange_id"], str) for access in report["accesses"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise NotADocument("not a report about a person that shows that it is complete")
    return dict(report)


def verify_report(
    document: Mapping[str, Any], key: VerifierKey, witnesses: Sequence[VerifierKey] = (), *, wanted: int = 0
) -> Report:
    """Checks a report that `read_report` gave. `key` must come from elsewhere than the report."""
    report, proof = Report(), document["completeness"]
    keys = followed(proof.get("keys"), key)
    check_entry(proof["map"], keys, witnesses, wanted, report)  # 1
    stated = group_of(proof["map"], "content")
    if group_of(proof["map"], "public").get("kind") != "subjects.mapped":
        report.fault(f"entry {proof['map']['index']}", "it is no map of subjects")
    try:
        size, count = (
            int(stated["log_size"]),
            _count(proof, bytes.fromhex(stated["root"]), int(stated["subjects"])),
        )  # 2
    except (ProofError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = str(error) if isinstance(error, ProofError) else "the map's places cannot be read"
        report.fault("map", what)
        return report
    report.count("counted in the map", count)
    for entry in proof["entries"]:
        check_entry(entry, keys, witnesses, wanted, report)
        report.count("entries")
    first = _chain(proof, report)  # 3
    before = sum(entry["index"] < size for entry in proof["entries"])
    if first + before != count and not (first > count and before == 0):  # 4
        what = f"the map counts {count} up to entry {size}, and {first + before} are shown or said to be forgotten"
        report.fault("entries", what)
    if first:
        report.notes.append(f"{first} entries are of months that are forgotten: that they were is all that is left")
    _listed(document, report)  # 5
    report.notes.append(f"complete as of the log's {size} entries; {len(proof['entries']) - before} came after")
    return report


def _count(proof: Mapping[str, Any], root: bytes, subjects: int) -> int:
    """The person's count in the map: of all names at most one is in it."""
    found = 0
    for name, place in zip(map(bytes.fromhex, proof["names"]), proof["places"], strict=True):
        if bytes.fromhex(place["name"]) != name:
            raise ProofError("a place is of another name")
        if place["count"]:
            if found:
                raise ProofError("the person is counted under two names")
            found = int(place["count"])
            check_count(_place(place["at"]), name, found, bytes.fromhex(place["blind"]), root, subjects)
        else:
            before, after = (None if place[side] is None else _place(place[side]) for side in ("before", "after"))
            check_absent(name, before, after, root, subjects)
    return found


def _place(shown: Mapping[str, Any]) -> Place:
    path = [b64decode(step, validate=True) for step in shown["path"]]
    return Place(int(shown["index"]), bytes.fromhex(shown["leaf"]), path)


def _chain(proof: Mapping[str, Any], report: Report) -> int:
    """That the entries' counters make one chain; how many come before the first that is shown."""
    first, last, index, current = 0, "", -1, None
    number = 0
    for entry in proof["entries"]:
        place, subject = f"entry {entry['index']}", group_of(entry, "subject")
        name, counter = subject.get("pseudonym"), subject.get("counter")
        if not isinstance(counter, int) or name not in proof["names"]:
            report.fault(place, "it does not count this person")
            continue
        if last == "":
            first = number = counter - 1
        if entry["index"] <= index or counter != number + 1 or (last and subject.get("previous") != last):
            report.fault(place, f"it counts {counter} where {number + 1} was due, or follows another entry")
        if first == 0 and last == "" and subject.get("previous") is not None:
            report.fault(place, "the first that is counted names one before")
        if current not in (None, name) and subject.get("earlier") != current:
            report.fault(place, "the person is counted under another name, and nothing moved there")
        number, last, index, current = counter, str(entry["entry"]), entry["index"], name
    return first


def _listed(document: Mapping[str, Any], report: Report) -> None:
    """That the report's list has every exchange that was decided in its time."""
    listed = {access["exchange_id"] for access in document["accesses"]}
    forgotten = str(document["completeness"].get("forgotten") or "")
    for entry in document["completeness"]["entries"]:
        public = group_of(entry, "public")
        time = str(public.get("time"))
        if time[:7] <= forgotten:
            report.fault(f"entry {entry['index']}", "its month is said to be forgotten, and it is shown")
        if public.get("kind") == "subject.told":
            decided = group_of(entry, "subject").get("decided")
            time = str(decided.get("time")) if isinstance(decided, dict) else time
            if time[:7] <= forgotten:
                report.notes.append(f"entry {entry['index']}: the exchange that it tells of is of a forgotten month")
                continue
        within = (document.get("from") or "") <= time < (document.get("to") or "9")
        if (
            public.get("kind") in ("exchange.decided", "subject.told")
            and within
            and public.get("exchange") not in listed
        ):
            report.fault(f"entry {entry['index']}", "its exchange is not in the report's list")
