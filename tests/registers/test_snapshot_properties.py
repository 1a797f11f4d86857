"""A snapshot that followed every change equals one that is read anew; no change touches what was there before."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.registers import Registers
from tests.harness import HOUSE, OLD_AGE, PERSON, term, title
from tests.registers.town import form, key, settled

NAMES = ("active", "to-suspend", "suspended", "to-refuse", "proposed", "new")
ACTS: list[tuple[str, dict[str, Any]]] = [
    *((f"agency.{to}", {"id": agency}) for to in ("suspend", "resume") for agency in ("city-a", "city-b", "dopa")),
    ("agency.add", {"id": "late", "title": title("late")}),
    *((f"group.{to}", {"id": "cities", "agency": a}) for to in ("join", "leave") for a in ("city-a", "city-b", "late")),
    ("group.add", {"id": "others", "title": title("x"), "members": ["city-a", "nhso"]}),
    *((f"client.{to}", {"id": "city-a-welfare"}) for to in ("suspend", "resume")),
    ("client.key.add", {"id": "city-a-welfare", "key": key("k9")}),
    *(("client.key.revoke", {"id": "city-a-welfare", "kid": kid}) for kid in ("c1", "k9")),
    ("officer.add", {"client": "city-a-welfare", "code": "new.o"}),
    *((f"officer.{to}", {"client": "city-a-welfare", "code": "somsri.j"}) for to in ("suspend", "resume")),
    *((f"operator.{to}", {"id": "auditor"}) for to in ("suspend", "resume")),
    ("operator.key.add", {"id": "dopa-1", "key": key("k9")}),
    *((f"purpose.{to}", {"code": OLD_AGE}) for to in ("suspend", "resume")),
    *((f"connector.{to}", {"agency": "dopa"}) for to in ("disable", "enable")),
    *((f"connector.{to}", {"agency": "dopa", "service": HOUSE}) for to in ("disable", "enable")),
    *(("agreement.propose", form(name, terms=[term(OLD_AGE, [f])])) for name in NAMES for f in ("life_status",)),
    ("agreement.propose", form("of-cities", consumer={"group": "cities"})),
    *(("agreement.approve", {"id": name, "version": v}) for name in (*NAMES, "of-cities") for v in (1, 2, 3)),
    *(("agreement.refuse", {"id": name, "version": v, "ground": "x"}) for name in NAMES for v in (1, 2)),
    *((f"agreement.{to}", {"id": name}) for name in NAMES for to in ("suspend", "resume", "revoke")),
]
OPERATORS = ("admin", "dopa-1", "dopa-2", "city-1")


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    acts=st.lists(st.tuples(st.sampled_from(OPERATORS), st.sampled_from(ACTS)), min_size=1, max_size=25),
    together=st.integers(1, 7),
)
def test_following_equals_reading_anew(acts: list[tuple[str, tuple[str, dict[str, Any]]]], together: int) -> None:
    town = settled()
    first = town.registers
    before = copy.deepcopy(first)
    follower = first
    waiting: dict[tuple[str, str], str] = {}
    for operator, (name, body) in acts:
        try:
            record = town.act(operator, name, body)
        except GatewayError:
            continue
        row = (record["kind"], record["id"])
        waiting.pop(row, None)  # the database holds a row once, as it last was
        waiting[row] = town.rows[row]
        if len(waiting) >= together:
            follower = follower.with_rows([(*r, text) for r, text in waiting.items()], town.registers.revision)
            waiting = {}
    follower = follower.with_rows([(*r, text) for r, text in waiting.items()], town.registers.revision)
    anew = Registers().with_rows([(*row, text) for row, text in town.rows.items()], town.registers.revision)
    assert follower == anew == town.registers
    # A snapshot is a value: exchanges under way keep the one that they began with.
    assert first == before


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [(*row, text) for row, text in settled().rows.items()]
    revision = settled().registers.revision
    assert Registers().with_rows(rows[::-1], revision) == Registers().with_rows(rows, revision)


def test_what_is_found_between_two_parties() -> None:
    town = settled()
    a, b = town.registers.agencies["city-a"], town.registers.agencies["city-b"]
    assert b.groups == {"cities"}
    assert [one.id for one in town.registers.standing(PERSON, a)] == ["active", "to-suspend", "suspended"]
    assert town.registers.standing(PERSON, b) == []
    town.act("dopa-1", "agreement.propose", form("of-cities", consumer={"group": "cities"}))
    town.act("dopa-2", "agreement.approve", {"id": "of-cities", "version": 1})
    town.act("admin", "group.join", {"id": "cities", "agency": "city-a"})
    town.act("admin", "group.leave", {"id": "cities", "agency": "city-b"})
    a, b = town.registers.agencies["city-a"], town.registers.agencies["city-b"]
    assert "of-cities" in {one.id for one in town.registers.standing(PERSON, a)}
    assert town.registers.standing(PERSON, b) == []
