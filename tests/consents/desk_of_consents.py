"""An office that collects consents at the shared gateway, with an agreement of its own for each test."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import population
from gateway.client import Answer, Problem
from tests.acceptance.trail import ask
from tests.harness import PERSON, RunningGateway, agree, agreement, term, title

COLLECTOR, OTHER = "city-a-consents", "city-b-consents"
ADULT, ELDER, MINOR = sorted(population.population())[100:103]
"""Three people whom no other test asks about; the gateway knows no age, so any will do."""
FIELDS = ["date_of_birth", "life_status"]
NOTICE = "เทศบาลขอใช้ข้อมูลของท่านเพื่อพิจารณาทุนการศึกษา SENTINEL-NOTICE-7f3a"
REFERENCE = "SENTINEL/EVIDENCE/4b81"
RULES = {"collectors": ["city-a"], "methods": ["id-card", "thaid"], "least_assurance": 2}
_numbers = itertools.count()


def later(**delta: float) -> str:
    """A moment from now, RFC 3339."""
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def evidence(**more: Any) -> dict[str, Any]:
    """How someone was identified, and that it was this notice."""
    return {
        "method": "id-card",
        "assurance": 3,
        "officer": "wanna.k",
        "reference": REFERENCE,
        "notice_sha256": hashlib.sha256(NOTICE.encode()).hexdigest(),
        **more,
    }


def form(purpose: str, citizen_id: str = ADULT, **more: Any) -> dict[str, Any]:
    """A consent's form with everything that has to be there; what is given as None is left out."""
    body = {
        "citizen_id": citizen_id,
        "service": PERSON,
        "purpose": purpose,
        "fields": FIELDS,
        "notice": {"id": "city-notice", "version": "1", "language": "th", "text": NOTICE},
        "validity": {"to": later(days=30)},
        "age_band": "adult",
        "evidence": evidence(),
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


@dataclass
class Office:
    """Gives, changes and uses consents. `codes`: every withdrawal code that was told."""

    gateway: RunningGateway
    codes: list[str] = field(default_factory=list)

    def open(self) -> None:
        """Its systems and officer; city-b's too."""
        with self.gateway.as_("admin") as admin:
            for client in (COLLECTOR, OTHER):
                body = {"id": client, "agency": client.removesuffix("-consents"), "title": title(client)}
                scopes = ["exchange", "consent"]
                admin.act("client.add", {**body, "keys": [self.gateway.person(client)], "scopes": scopes})
                admin.act("officer.add", {"client": client, "code": "wanna.k"})

    def purpose(self) -> str:
        """A purpose of its own."""
        code = f"consents.n{next(_numbers)}"
        with self.gateway.as_("admin") as admin:
            admin.act("purpose.add", {"code": code, "title": title(code), "authority": title("Act"), "replaces": []})
        return code

    def agree(self, purpose: str, consumer: str = "city-a", **rules: Any) -> str:
        """An agreement whose term stands on consent, or its next version; returns its id."""
        name = f"{consumer}-{purpose}"
        own = term(purpose, FIELDS, lawful_basis="consent", consent={**RULES, **rules})
        agree(self.gateway, agreement(name, PERSON, [own], consumer={"agency": consumer}))
        return name

    def own(self, **rules: Any) -> str:
        """A purpose with an agreement of its own."""
        purpose = self.purpose()
        self.agree(purpose, **rules)
        return purpose

    def give(self, purpose: str, citizen_id: str = ADULT, *, by: str = COLLECTOR, **more: Any) -> dict[str, Any]:
        """Takes a consent; the answer as it came."""
        with self.gateway.as_(by) as desk:
            given = desk.give_consent(form(purpose, citizen_id, **more))
        self.codes.append(given["withdrawal_code"])
        return given

    def refused(self, purpose: str, citizen_id: str = ADULT, *, by: str = COLLECTOR, **more: Any) -> Problem:
        """What stands against taking one."""
        try:
            self.give(purpose, citizen_id, by=by, **more)
        except Problem as problem:
            return problem
        raise AssertionError("it was taken")

    def change(self, consent: str, change: Any, by: str = COLLECTOR) -> dict[str, Any]:
        """Withdraws, pauses or resumes."""
        with self.gateway.as_(by) as desk:
            return desk.change_consent(consent, change)

    def ask(self, purpose: str, citizen_id: str = ADULT, *, by: str = COLLECTOR, **more: Any) -> Answer | Problem:
        """One question."""
        return ask(self.gateway, by, **{"service": PERSON, "purpose": purpose, "citizen_id": citizen_id, **more})


def codes_of(result: Answer | Problem) -> set[str]:
    """Why it was refused; empty where it was answered."""
    return {reason.code for reason in result.reasons} if isinstance(result, Problem) else set()
