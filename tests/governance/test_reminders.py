"""Which agreements are reminded of on which day: at each mark once, whoever looks how often."""

from __future__ import annotations

from datetime import date, timedelta

from gateway.reminding import AT_ONCE, due, ending
from tests.registers.town import NOW, Town, form, settled

LAST = date(2027, 3, 31)
PERIOD = {"from": "2026-01-01", "to": str(LAST)}


def town_of(*names: str) -> Town:
    """With agreements that end on LAST; what else there is ends later than anyone looks here."""
    town = settled()
    for name in names:
        town.act("dopa-1", "agreement.propose", form(name, period=PERIOD))
        town.act("dopa-2", "agreement.approve", {"id": name, "version": 1})
    return town


def look(town: Town, days: int) -> list[tuple[str, int]]:
    """What is written so many days before the end."""
    found = [one for one in due(town.registers, LAST - timedelta(days=days), NOW) if one["ends"] == str(LAST)]
    for record in found:
        town.put(record)
    return [(one["agreement"], one["days"]) for one in found]


def test_at_each_mark_once() -> None:
    town = town_of("one")
    written = {days: marks for days in range(120, -5, -1) if (marks := look(town, days))}
    assert written == {90: [("one", 90)], 30: [("one", 30)], 7: [("one", 7)]}


def test_who_comes_late_is_reminded_at_the_nearest_mark_only() -> None:
    town = town_of("late")
    assert look(town, 20) == [("late", 30)]
    assert look(town, 20) == []
    assert look(town, 0) == [("late", 7)]
    assert look(town_of("over"), -1) == []


def test_a_renewal_begins_anew_and_what_is_revoked_is_left_alone() -> None:
    town = town_of("renewed", "revoked", "halted")
    town.act("dopa-1", "agreement.revoke", {"id": "revoked", "reason": "x"})
    town.act("dopa-1", "agreement.suspend", {"id": "halted", "reason": "x"})
    assert sorted(look(town, 90)) == [("halted", 90), ("renewed", 90)]
    longer = {**PERIOD, "to": str(LAST + timedelta(days=365))}
    town.act("dopa-1", "agreement.propose", form("renewed", period=longer))
    assert look(town, 30) == [("renewed", 30), ("halted", 30)]
    town.act("dopa-2", "agreement.approve", {"id": "renewed", "version": 2})
    assert look(town, 7) == [("halted", 7)]
    later = {one["id"] for one in due(town.registers, LAST + timedelta(days=365 - 90), NOW)}
    assert f"renewed:{longer['to']}:90" in later


def test_only_what_the_source_approved_ends() -> None:
    town = town_of()
    town.act("dopa-1", "agreement.propose", form("proposed-only", period=PERIOD))
    assert look(town, 7) == []
    assert "proposed-only" not in {record["id"] for record, _ in ending(town.registers, LAST)}
    assert AT_ONCE > 1
