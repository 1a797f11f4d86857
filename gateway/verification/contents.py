"""What entries say, read in order: acts and their signatures, what they left in the registers, subjects' counters,
and each exchange's one end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway.exchangelog import OPENERS
from gateway.exchangelog.entry import OpenedEntry
from gateway.exchangelog.subjectmap import Map
from gateway.keys import BadSuccession, read_succession
from gateway.policy import named_in
from gateway.tlog.countmap import leaf
from gateway.tlog.merkle import Range, leaf_hash
from gateway.verification.acts import BadAct, Operators, UnknownKey
from gateway.verification.findings import Report
from gateway.verification.records import Records
from gateway.verification.withheld import WithheldExchanges

_CLOSING = ("exchange.released", "exchange.failed", "exchange.withheld", "exchange.interrupted")


class Contents:
    """Takes the entries of a log one by one and reports what does not fit with what came before.

    `registered`: the operators' keys. `facts`: the digests, in hex, of what is kept beside the log of what
    judgements rest on.
    """

    def __init__(
        self,
        report: Report,
        registered: Mapping[str, Mapping[str, dict[str, Any]]] | None = None,
        facts: frozenset[str] = frozenset(),
    ) -> None:
        self._report = report
        self._facts = facts
        self._operators = Operators(registered)
        self._records = Records(report)
        self._log_keys: dict[str, dict[str, Any]] = {}
        self._current_keys: dict[str, str] = {}
        self._counters: dict[str, tuple[int, str]] = {}
        self._open: dict[str, int] = {}
        self._closed: set[str] = set()
        self._withheld = WithheldExchanges(report)
        self._latest = ""
        self._forgotten = 0
        self._expected: Map | None = None

    def expect(self, made: Map) -> None:
        """A map of subjects that is to have the counters as they are after its `size` entries."""
        self._expected = made

    def at(self, index: int) -> None:
        """Before the entry at `index`, or after the last: the map of this size is held against the counters."""
        made = self._expected
        if made is None or made.size != index or self._forgotten:
            return
        tree = Range()
        counted = sorted((bytes.fromhex(name), count) for name, (count, _) in self._counters.items() if count)
        for name, count in counted:
            tree.add(leaf_hash(leaf(made.secret, name, count)))
        self._report.count("subjects in the map", len(counted))
        if (made.subjects, made.root) != (len(counted), tree.root()):
            self._report.fault(f"entry {made.index}", f"the map of subjects is not that of the first {index} entries")

    def forgotten(self) -> None:
        """An entry whose month's key was destroyed: nothing can be said of what it held."""
        self._forgotten += 1
        self._report.count("forgotten")

    def take(self, opened: OpenedEntry) -> None:
        """The next entry."""
        index = opened.index
        public = opened.group("public")
        kind, exchange = str(public.get("kind")), str(public.get("exchange"))
        self._report.count(f"kind {kind}")
        self._latest = max(self._latest, str(public.get("time")))
        self._counter(index, opened)
        if kind in OPENERS and not self._facts.issuperset(named_in(orjson.loads(opened.facts or b"null"))):
            self._report.fault(f"entry {index}", "what it was judged on is gone, or is not what it names")
        if kind == "act":
            self._act(index, opened)
        elif kind == "agreement.reminded":
            self._reminder(index, opened)
        elif kind == "subjects.mapped":
            self._map(index, opened)
        elif kind == "key.changed":
            self._keys(index, opened)
        elif kind == "exchange.decided":
            if exchange in self._open or exchange in self._closed:
                self._report.fault(f"entry {index}", f"{exchange} was decided before")
            self._open[exchange] = index
            self._withheld.decided(opened, exchange)
        elif kind == "subject.told":
            self._told(opened, exchange)
        elif kind in _CLOSING:
            self._close(index, kind, exchange)

    def _close(self, index: int, kind: str, exchange: str) -> None:
        if self._open.pop(exchange, None) is not None:
            self._closed.add(exchange)
        elif exchange in self._closed:
            self._report.fault(f"entry {index}", f"{exchange} has two ends")
        elif not self._forgotten:
            self._report.fault(f"entry {index}", f"{exchange} is {kind.partition('.')[2]} and was never decided")

    def _told(self, opened: OpenedEntry, exchange: str) -> None:
        name, present = self._withheld.person(exchange), None
        while name is not None and (moved := self._counters.get(name)) is not None and moved[0] == 0:
            name = present = moved[1]
        self._withheld.told(opened, exchange, forgotten=self._forgotten > 0, present=present)

    def _act(self, index: int, opened: OpenedEntry) -> None:
        self._withheld.act(opened.group("legal"))
        self._records.take(index, opened.group("legal"))
        groups = (opened.group(name) for name in ("parties", "legal", "content"))
        try:
            self._operators.take(*groups, forgotten=self._forgotten > 0)
            self._report.count("signatures")
        except UnknownKey as unknown:
            if self._forgotten:  # by a key that was revoked since, of an operator whose enrolment cannot be read
                self._report.count("signatures by keys that nobody can read of")
            else:
                self._report.fault(f"entry {index}", str(unknown))
        except BadAct as bad:
            self._report.fault(f"entry {index}", str(bad))

    def _reminder(self, index: int, opened: OpenedEntry) -> None:
        """A gateway's own word, signed by no operator: it makes reminders and nothing else."""
        legal = opened.group("legal")
        if any(not name.startswith("reminder/") for name in legal.get("record_digests", {})):
            self._report.fault(f"entry {index}", "a reminder changed another record")
        self._records.take(index, legal)

    def _keys(self, index: int, opened: OpenedEntry) -> None:
        """New keys, each vouched for by the log's key of that time; the first ones vouch for themselves."""
        legal = opened.group("legal")
        if any(not name.startswith("key/") for name in legal.get("record_digests", {})):
            self._report.fault(f"entry {index}", "a change of keys changed another record")
        self._records.take(index, legal)
        changed = opened.group("content").get("keys", [])
        for key in changed:
            try:
                if key["succession"] is None:
                    if self._current_keys.get(key["key"]) is not None:
                        raise BadSuccession("a key took another's place and nothing says so")
                elif self._log_keys or not self._forgotten:
                    said = read_succession(key["succession"], self._log_keys)
                    if (said.kind, said.kid, said.public) != (key["key"], key["kid"], key["public"]):
                        raise BadSuccession("the statement about a key is about another")
                    if said.previous != self._current_keys.get(key["key"], said.previous):
                        raise BadSuccession("the key does not follow the one that was in use")
            except BadSuccession as bad:
                self._report.fault(f"entry {index}", str(bad))
            self._current_keys[key["key"]] = key["kid"]
            if key["key"] == "log":
                self._log_keys[key["kid"]] = key["public"]
            self._report.count("keys")

    def _counter(self, index: int, opened: OpenedEntry) -> None:
        if b'"counter"' not in opened.contents["subject"]:
            return
        subject = opened.group("subject")
        person, number, previous = str(subject.get("pseudonym")), subject.get("counter"), subject.get("previous")
        earlier = subject.get("earlier")
        if earlier is not None:
            count, last = self._moved(index, person, str(earlier))
        else:
            count, last = self._counters.get(person, (0, None))
        self._counters[person] = (number if isinstance(number, int) else count + 1, opened.entry.hex())
        self._report.count("counted")
        if number == count + 1 and previous == last:
            return
        if self._forgotten and isinstance(number, int) and count < number <= count + 1 + self._forgotten:
            self._report.count("counters across forgotten months")
        elif number != count + 1:
            self._report.fault(f"entry {index}", f"the subject's counter is {number} where {count + 1} was due")
        else:
            self._report.fault(f"entry {index}", "the subject's previous entry is another than the one it names")

    def _map(self, index: int, opened: OpenedEntry) -> None:
        content, made = opened.group("content"), self._expected
        if not isinstance(content.get("log_size"), int) or content["log_size"] > index:
            self._report.fault(f"entry {index}", "the map of subjects is of entries that came after it")
        if made is not None and made.index == index:
            stated = (content.get("log_size"), content.get("subjects"), content.get("root"))
            if stated != (made.size, made.subjects, made.root.hex()):
                self._report.fault(f"entry {index}", "the map that is kept is another than this entry names")

    def _moved(self, index: int, person: str, earlier: str) -> tuple[int, str | None]:
        """The counter of a person known from here on by another name; of the earlier one, where it went is left."""
        if person in self._counters:
            self._report.fault(f"entry {index}", "the subject was counted under its later name already")
        before = self._counters.get(earlier, (0, None))
        self._counters[earlier] = (0, person)
        return before

    def end(
        self,
        counters: Mapping[str, tuple[int, str]],
        open_exchanges: frozenset[str],
        withheld: frozenset[str],
        records: Iterable[tuple[str, str, str]],
    ) -> None:
        """After the last entry: what the database holds beside the log, as of the same moment.

        `counters`: pseudonym -> (count, previous entry), all hex. `open_exchanges`, `withheld`: ids. `records`: kind,
        id and body of every register record.
        """
        self._withheld.end(self._latest, withheld)
        self._records.end(records, forgotten=self._forgotten > 0)
        for exchange, index in self._open.items():
            if exchange in open_exchanges:
                self._report.notes.append(f"entry {index}: {exchange} is decided and still open")
            else:
                self._report.fault(f"entry {index}", f"{exchange} was decided and has no end")
        self._report.count("open", len(self._open))
        # Of a subject of forgotten months alone, nothing is left to hold its counter against.
        named = self._counters.keys() if self._forgotten else self._counters.keys() | counters.keys()
        for person in named:
            if self._counters.get(person) != counters.get(person):
                count, entry = self._counters.get(person, (0, ""))
                there = counters.get(person, (0, ""))[0]
                place = f"entry {entry}" if entry else "counters"
                self._report.fault(place, f"the counter table says {there} of a subject whom the log counts {count}")
