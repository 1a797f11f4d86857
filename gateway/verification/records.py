"""The registers against the log: each record is what its latest act left, and names the acts that made it.

A record's digest stands in the entry of each act that changed it. So a register row that was changed, added or
taken away beside the log is found, and the act that it should be as of is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway.registers import record_digest
from gateway.store import MOST_ACTS
from gateway.verification.findings import Report


class Records:
    """What the log says of every register record, act by act."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._digests: dict[str, str] = {}
        self._acts: dict[str, list[int]] = {}

    def take(self, index: int, legal: Mapping[str, Any]) -> None:
        """The next entry that changed records."""
        for name, digest in legal.get("record_digests", {}).items():
            self._digests[name] = str(digest)
            self._acts.setdefault(name, []).append(index)

    def end(self, rows: Iterable[tuple[str, str, str]], *, forgotten: bool) -> None:
        """After the last entry. `rows`: kind, id and body (JSON) of every record.

        `forgotten`: months of the log are, so that the acts behind a record may be among what nobody can read.
        """
        missing = dict(self._digests)
        for kind, name, body in rows:
            key = f"{kind}/{name}"
            self._report.count("records")
            due = missing.pop(key, None)
            if due is None and forgotten:
                self._report.count("records last changed in forgotten months")
            elif due is None:
                self._report.fault(f"register {key}", "no act in the log made this record")
            else:
                self._check(key, due, body, forgotten=forgotten)
        for key in missing:
            self._report.fault(f"entry {self._acts[key][-1]}", f"the act left a record that is not there: {key}")

    def _check(self, key: str, due: str, body: str, *, forgotten: bool) -> None:
        latest = f"entry {self._acts[key][-1]}"
        try:
            record = orjson.loads(body)
            digest, acts = record_digest(record), list(record.get("acts", ()))
        except (ValueError, TypeError, AttributeError):
            self._report.fault(f"register {key}", "the record cannot be read")
            return
        if digest != due:
            self._report.fault(latest, f"the record {key} is not what this act left")
        known = self._acts[key]
        if forgotten:  # of its acts, those that can still be read
            acts = [index for index in acts if index >= known[0]]
        if acts != known[-MOST_ACTS:]:
            self._report.fault(latest, f"the record {key} names other acts than the log has of it")
