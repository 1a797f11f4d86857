"""What entries say, read in order: acts and their signatures, what they left in the registers, subjects' counters,
and each exchange's one end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.exchangelog.entry import OpenedEntry
from gateway.verification.acts import BadAct, Operators
from gateway.verification.findings import Report
from gateway.verification.records import Records

_CLOSING = ("exchange.released", "exchange.failed", "exchange.withheld", "exchange.interrupted")


class Contents:
    """Takes the entries of a log one by one and reports what does not fit with what came before."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._operators = Operators()
        self._records = Records(report)
        self._counters: dict[str, tuple[int, str]] = {}
        self._open: dict[str, int] = {}
        self._closed: set[str] = set()
        self._forgotten = 0

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
        self._counter(index, opened)
        if kind == "act":
            self._act(index, opened)
        elif kind == "agreement.reminded":
            self._reminder(index, opened)
        elif kind == "exchange.decided":
            if exchange in self._open or exchange in self._closed:
                self._report.fault(f"entry {index}", f"{exchange} was decided before")
            self._open[exchange] = index
        elif kind in _CLOSING:
            self._close(index, kind, exchange)

    def _close(self, index: int, kind: str, exchange: str) -> None:
        if self._open.pop(exchange, None) is not None:
            self._closed.add(exchange)
        elif exchange in self._closed:
            self._report.fault(f"entry {index}", f"{exchange} has two ends")
        elif not self._forgotten:
            self._report.fault(f"entry {index}", f"{exchange} is {kind.partition('.')[2]} and was never decided")

    def _act(self, index: int, opened: OpenedEntry) -> None:
        self._records.take(index, opened.group("legal"))
        if self._forgotten:
            self._report.count("acts after forgotten months")
            return
        try:
            self._operators.take(opened.group("parties"), opened.group("legal"), opened.group("content"))
            self._report.count("signatures")
        except BadAct as bad:
            self._report.fault(f"entry {index}", str(bad))

    def _reminder(self, index: int, opened: OpenedEntry) -> None:
        """A gateway's own word, signed by no operator: it makes reminders and nothing else."""
        legal = opened.group("legal")
        if any(not name.startswith("reminder/") for name in legal.get("record_digests", {})):
            self._report.fault(f"entry {index}", "a reminder changed another record")
        self._records.take(index, legal)

    def _counter(self, index: int, opened: OpenedEntry) -> None:
        if b'"counter"' not in opened.contents["subject"]:
            return
        subject = opened.group("subject")
        person, number, previous = str(subject.get("pseudonym")), subject.get("counter"), subject.get("previous")
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

    def end(
        self,
        counters: Mapping[str, tuple[int, str]],
        open_exchanges: frozenset[str],
        records: Iterable[tuple[str, str, str]],
    ) -> None:
        """After the last entry: what the database holds beside the log, as of the same moment.

        `counters`: pseudonym -> (count, previous entry), all hex. `open_exchanges`: ids. `records`: kind, id and
        body of every register record.
        """
        self._records.end(records, forgotten=self._forgotten > 0)
        for exchange, index in self._open.items():
            if exchange in open_exchanges:
                self._report.notes.append(f"entry {index}: {exchange} is decided and still open")
            else:
                self._report.fault(f"entry {index}", f"{exchange} was decided and has no end")
        self._report.count("open", len(self._open))
        if self._forgotten:
            return
        for person in self._counters.keys() | counters.keys():
            if self._counters.get(person) != counters.get(person):
                count, entry = self._counters.get(person, (0, ""))
                there = counters.get(person, (0, ""))[0]
                place = f"entry {entry}" if entry else "counters"
                self._report.fault(place, f"the counter table says {there} of a subject whom the log counts {count}")
