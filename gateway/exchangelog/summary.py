"""A time of the log in plain numbers: counts by party, service, purpose and day; times; and officers who stand out.

Counts and times come from the projection's daily sums, so a year costs little more than a day. What is said of
officers is counted exactly, from each one's own exchanges, one officer at a time. Nothing here is a verdict: every
number comes with its basis, and the thresholds are the asker's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from statistics import median
from typing import Any

from gateway.exchangelog.projection import LINE
from gateway.exchangelog.search import COUNTED, bounds
from gateway.exchangelog.times import ERROR, percentiles
from gateway.model import BANGKOK, timestamp
from gateway.store import Connection, Store

LONGEST_DAYS = 400
MOST_NAMED = 200
"""So many officers are named in each list, the largest numbers first."""
_LINES_AT_ONCE = 200
_OUTCOMES = ("refused", "failed", "withheld", "interrupted")
Json = dict[str, Any]
Who = tuple[str, str, str | None]
"""Consumer, client, officer."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a number is shown. Hours are Asia/Bangkok; the weekend is out of hours."""

    people_factor: float = 3.0
    people_least: int = 20
    same_person: int = 10
    hours_from: int = 7
    hours_to: int = 19
    out_of_hours_least: int = 5
    refusals: int = 5
    refusals_minutes: int = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which days (Asia/Bangkok, both included), of which party or service, and the thresholds."""

    first: date
    last: date
    only: Mapping[str, str] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def moments(self) -> tuple[str, str]:
        """From when (included) to when (excluded), RFC 3339 UTC."""
        begin = datetime.combine(self.first, time(), BANGKOK)
        end = datetime.combine(self.last + timedelta(days=1), time(), BANGKOK)
        return timestamp(begin.astimezone(UTC)), timestamp(end.astimezone(UTC))


@dataclass(slots=True)
class _Officer:
    exchanges: int = 0
    outside: int = 0
    people: Counter[bytes] = field(default_factory=Counter)


async def summary(store: Store, wanted: Wanted) -> Json:
    """The whole summary. The caller has seen to it that the projection has caught up. LogUnavailable."""
    by_line, by_day = await _days(store, wanted)
    lines = await _lines(store, {line for line, _ in by_line}, wanted.only)
    kept = {key: number for key, number in by_line.items() if key[0] in lines}
    days = {day: _summed((o, n) for (line, o), n in counts.items() if line in lines) for day, counts in by_day.items()}
    reasons, refusals = await _refusals(store, wanted, lines)
    officers = await _officers(store, wanted, lines)
    return {
        "from": wanted.first.isoformat(),
        "to": wanted.last.isoformat(),
        "only": dict(wanted.only),
        **_counted(_summed((outcome, number) for (_, outcome), number in kept.items())),
        **{f"by_{name}": _grouped(kept, lines, name) for name in ("consumer", "source", "service", "purpose")},
        "by_day": [{"day": day, **_counted(outcomes)} for day, outcomes in sorted(days.items())],
        "by_reason": [{"reason": code, "exchanges": number} for code, number in reasons.most_common()],
        "times": await _times(store, wanted),
        **_outstanding(officers, refusals, wanted.thresholds),
        "parameters": asdict(wanted.thresholds),
        "basis": basis(wanted.thresholds),
    }


def basis(limits: Thresholds) -> Json:
    """How each number is computed, in Thai and English."""
    hours = f"{limits.hours_from:02}:00-{limits.hours_to:02}:00"
    texts = {
        "counts": (
            "นับรายการตามวันที่พิจารณา เวลาประเทศไทย และผลล่าสุดของรายการ",
            "exchanges by the day (Asia/Bangkok) of the decision, each with its outcome as it is now",
        ),
        "times": (
            "เวลาตั้งแต่พิจารณาจนสิ้นสุดของทุกรายการที่อนุญาต จากฮิสโทแกรมรายวันของทุกหน่วยงาน คลาดเคลื่อนสูงขึ้นไม่เกินร้อยละ 6.25",
            f"from decision to outcome of every permitted exchange, all consumers, from daily histograms: {ERROR}",
        ),
        "many_people": (
            f"จำนวนบุคคลที่ต่างกันซึ่งเจ้าหน้าที่ถามถึง เกิน {limits.people_factor:g} เท่าของมัธยฐานของเจ้าหน้าที่อื่นในหน่วยงานเดียวกัน "
            f"(อย่างน้อยสองคน) และไม่น้อยกว่า {limits.people_least} คน",
            f"different people an officer asked about: more than {limits.people_factor:g} times the median of the "
            f"agency's other officers (two at least), and {limits.people_least} or more",
        ),
        "same_person": (
            f"เจ้าหน้าที่คนเดียวถามถึงบุคคลเดียว {limits.same_person} ครั้งขึ้นไป บุคคลแสดงเป็นรหัสแฝง",
            f"one officer asked about one person {limits.same_person} times or more; the person as the log's pseudonym",
        ),
        "out_of_hours": (
            f"รายการนอก {hours} หรือวันเสาร์อาทิตย์ เวลาประเทศไทย ตั้งแต่ {limits.out_of_hours_least} ครั้ง ไม่หักวันหยุดราชการ",
            f"exchanges outside {hours} or at a weekend (Asia/Bangkok), {limits.out_of_hours_least} or more; public "
            "holidays are not known here",
        ),
        "refusals": (
            f"ถูกปฏิเสธ {limits.refusals} ครั้งขึ้นไปภายใน {limits.refusals_minutes} นาที โดยเจ้าหน้าที่หรือระบบเดียวกัน",
            f"{limits.refusals} refusals or more within {limits.refusals_minutes} minutes, of one officer or system",
        ),
    }
    return {name: {"th": thai, "en": english} for name, (thai, english) in texts.items()}


async def _days(store: Store, wanted: Wanted) -> tuple[Counter[tuple[int, str]], dict[str, Counter[tuple[int, str]]]]:
    """(line, outcome) -> exchanges, in all and a day."""
    whole: Counter[tuple[int, str]] = Counter()
    days: dict[str, Counter[tuple[int, str]]] = {}
    for number in range((wanted.last - wanted.first).days + 1):
        day = (wanted.first + timedelta(days=number)).isoformat()
        rows = await store.read(partial(_day, day=day))
        if rows:
            days[day] = Counter({(line, outcome): exchanges for line, outcome, exchanges in rows})
            whole.update(days[day])
    return whole, days


def _day(connection: Connection, day: str) -> list[Any]:
    return connection.rows("SELECT line, outcome, exchanges FROM exchange_days WHERE day = ? AND exchanges > 0", (day,))


async def _lines(store: Store, ids: set[int], only: Mapping[str, str]) -> dict[int, dict[str, str | None]]:
    """What makes each of these lines, of those that are `only` wanted."""
    found: dict[int, dict[str, str | None]] = {}
    for part in _parts(sorted(ids)):
        for row in await store.read(partial(_named, ids=part)):
            line = dict(zip(LINE, row[1:], strict=True))
            if all(line[name] == value for name, value in only.items()):
                found[row[0]] = line
    return found


def _named(connection: Connection, ids: list[int]) -> list[Any]:
    places = ", ".join("?" * len(ids))
    return connection.rows(f"SELECT id, {', '.join(LINE)} FROM exchange_lines WHERE id IN ({places})", ids)  # noqa: S608


def _parts(ids: list[int]) -> Iterable[list[int]]:
    return (ids[place : place + _LINES_AT_ONCE] for place in range(0, len(ids), _LINES_AT_ONCE))


async def _times(store: Store, wanted: Wanted) -> list[Json]:
    rows = await store.read(
        lambda c: c.rows(
            "SELECT service, bucket, SUM(exchanges) FROM exchange_times WHERE day >= ? AND day <= ? "
            "GROUP BY service, bucket",
            (wanted.first.isoformat(), wanted.last.isoformat()),
        )
    )
    histograms: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for service, bucket, exchanges in rows:
        histograms[service].append((bucket, int(exchanges)))
    return [
        {"service": service, "exchanges": sum(n for _, n in histogram), **percentiles(histogram)}
        for service, histogram in sorted(histograms.items())
        if wanted.only.get("service", service) == service
    ]


async def _refusals(
    store: Store, wanted: Wanted, lines: Mapping[int, Mapping[str, str | None]]
) -> tuple[Counter[str], dict[Who, list[str]]]:
    """How often each reason stood against an exchange; when each officer or system was refused."""
    since, until = wanted.moments
    first, last = await store.read(lambda c: bounds(c, since, until))
    reasons: Counter[str] = Counter()
    times: dict[Who, list[str]] = defaultdict(list)
    for begin in range(first, last, COUNTED):
        span = (begin, min(begin + COUNTED, last))
        for line, reason, opened_at in await store.read(partial(_unreleased, span=span, when=(since, until))):
            if line not in lines:
                continue
            if reason == "refused":
                times[_who(lines[line])].append(opened_at)
            if reason not in _OUTCOMES:
                reasons[reason] += 1
    return reasons, times


def _unreleased(connection: Connection, span: tuple[int, int], when: tuple[str, str]) -> list[Any]:
    return connection.rows(
        "SELECT e.line, r.reason, e.opened_at FROM exchanges e JOIN exchange_reasons r ON r.opened_idx = e.opened_idx "
        "WHERE e.opened_idx >= ? AND e.opened_idx < ? AND e.opened_at >= ? AND e.opened_at < ?",
        (*span, *when),
    )


async def _officers(store: Store, wanted: Wanted, lines: Mapping[int, Mapping[str, str | None]]) -> dict[Who, _Officer]:
    """What each officer did; the people only as counts once an officer is done, so that memory stays small."""
    since, until = wanted.moments
    first, last = await store.read(lambda c: bounds(c, since, until))
    of: dict[Who, list[int]] = defaultdict(list)
    for number, line in lines.items():
        if line["officer"] is not None:
            of[_who(line)].append(number)
    found: dict[Who, _Officer] = {}
    for who, theirs in of.items():
        officer = found[who] = _Officer()
        for each in theirs:
            for subject, opened_at in await store.read(
                partial(_asked, line=each, span=(first, last), when=(since, until))
            ):
                officer.exchanges += 1
                officer.outside += _outside(opened_at, wanted.thresholds)
                officer.people[bytes(subject)] += 1
    return found


def _asked(connection: Connection, line: int, span: tuple[int, int], when: tuple[str, str]) -> list[Any]:
    return connection.rows(
        "SELECT subject, opened_at FROM exchanges WHERE line = ? AND opened_idx >= ? AND opened_idx < ? "
        "AND opened_at >= ? AND opened_at < ?",
        (line, *span, *when),
    )


def _outside(moment: str, limits: Thresholds) -> bool:
    there = datetime.fromisoformat(moment).astimezone(BANGKOK)
    return there.weekday() >= 5 or not limits.hours_from <= there.hour < limits.hours_to


def _outstanding(officers: Mapping[Who, _Officer], refusals: Mapping[Who, list[str]], limits: Thresholds) -> Json:
    """Who passes a threshold, with the number and what it is held against."""
    many, same, outside = list[Json](), list[Json](), list[Json]()
    agencies: dict[str, list[Who]] = defaultdict(list)
    for who in officers:
        agencies[who[0]].append(who)
    for who, officer in officers.items():
        peers = [len(officers[other].people) for other in agencies[who[0]] if other != who]
        people, usual = len(officer.people), median(peers) if len(peers) >= 2 else None
        if usual is not None and people >= limits.people_least and people > limits.people_factor * usual:
            many.append({**_named_as(who), "people": people, "peers_median": usual, "peers": len(peers)})
        same += [
            {**_named_as(who), "subject": subject.hex(), "exchanges": number}
            for subject, number in officer.people.items()
            if number >= limits.same_person
        ]
        if officer.outside >= limits.out_of_hours_least:
            outside.append({**_named_as(who), "exchanges": officer.outside, "of": officer.exchanges})
    bursts = [
        {**_named_as(who), **burst} for who, times in refusals.items() if (burst := _burst(times, limits)) is not None
    ]
    return {
        "many_people": _most(many, "people"),
        "same_person": _most(same, "exchanges"),
        "out_of_hours": _most(outside, "exchanges"),
        "refusals": _most(bursts, "exchanges"),
    }


def _burst(times: list[str], limits: Thresholds) -> Json | None:
    """The most refusals within the minutes, from when to when; None where they are too few."""
    moments = sorted(map(datetime.fromisoformat, times))
    width, begin, best = timedelta(minutes=limits.refusals_minutes), 0, (0, 0)
    for place, moment in enumerate(moments):
        while moment - moments[begin] > width:
            begin += 1
        best = max(best, (place - begin + 1, -begin))
    number, begin = best[0], -best[1]
    if number < limits.refusals:
        return None
    return {
        "exchanges": number,
        "from": timestamp(moments[begin]),
        "to": timestamp(moments[begin + number - 1]),
        "of": len(moments),
    }


def _most(found: list[Json], name: str) -> list[Json]:
    return sorted(found, key=lambda one: (-one[name], one["client"], one["officer"] or ""))[:MOST_NAMED]


def _who(line: Mapping[str, str | None]) -> Who:
    return str(line["consumer"]), str(line["client"]), line["officer"]


def _named_as(who: Who) -> Json:
    return dict(zip(("consumer", "client", "officer"), who, strict=True))


def _summed(pairs: Iterable[tuple[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for outcome, number in pairs:
        found[outcome] += number
    return found


def _counted(outcomes: Mapping[str, int]) -> Json:
    return {"exchanges": sum(outcomes.values()), "outcomes": dict(sorted(outcomes.items()))}


def _grouped(
    kept: Mapping[tuple[int, str], int], lines: Mapping[int, Mapping[str, str | None]], name: str
) -> list[Json]:
    groups: dict[str | None, list[tuple[str, int]]] = defaultdict(list)
    for (line, outcome), number in kept.items():
        groups[lines[line][name]].append((outcome, number))
    counted = [{"id": key, **_counted(_summed(pairs))} for key, pairs in groups.items()]
    return sorted(counted, key=lambda one: (-one["exchanges"], one["id"] or ""))
