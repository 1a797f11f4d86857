"""The stories' own world: three sources, five consumers, and the agreements that each story stands on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.catalogue import digest_of
from tests.harness import Agency, RunningGateway, agree, agreement, confirm, registration_of, term, title

SOURCES = ("dopa", "dep", "moe")
KEYS = {f"SOURCE_{name.upper()}__API_KEY": f"made-up-{name}-key" for name in SOURCES}
CLIENTS = {"town": "town", "children": "dcy", "land": "dol", "power": "mea"}
"""Client -> agency."""
OLD_AGE, DISABILITY, NEWBORN = "welfare.old-age-allowance", "welfare.disability-allowance", "welfare.newborn-grant"
LAND, DEPOSIT, SCHOLARSHIP = "land.transfer-registration", "utility.deposit-refund", "education.scholarship"
NOTICE = {"id": "city-notice", "version": "1"}
"""The notice that the harness's terms name."""
LAND_CODE, CONTRACT = title("Land Code B.E. 2497"), title("The contract of supply")
_PERSON = ["date_of_birth", "nationality", "life_status"]
RULES = {"collectors": ["town"], "methods": ["id-card"], "least_assurance": 2}


def agreements() -> list[dict[str, Any]]:
    """Each story's agreements, as thai law and the table of the stories have them."""

    def one(name: str, agency: str, service: str, terms: list[dict[str, Any]]) -> dict[str, Any]:
        return agreement(name, service, terms, consumer={"agency": agency})

    disabled = {
        "sensitive_basis": "26(5)(c)",
        "authority": title("Persons with Disabilities Empowerment Act B.E. 2550"),
    }
    return [
        one(
            "town-person",
            "town",
            "dopa.person.v1",
            [
                term(OLD_AGE, _PERSON),
                term(DISABILITY, ["date_of_birth", "life_status"], id="t2", authority=disabled["authority"]),
            ],
        ),
        one("town-house", "town", "dopa.house.v1", [term(OLD_AGE, ["local_authority"])]),
        one(
            "town-disability",
            "town",
            "dep.disability.v1",
            [term(DISABILITY, ["card_status", "card_expiry"], **disabled)],
        ),
        one("dcy-person", "dcy", "dopa.person.v1", [term(NEWBORN, [*_PERSON, "mother_matches"])]),
        *(
            one(f"dol-{name}", "dol", service, [term(LAND, fields, officer_required=True, authority=LAND_CODE)])
            for name, service, fields in (
                ("person", "dopa.person.v1", ["first_name", "last_name", *_PERSON]),
                ("names", "dopa.name-change.v1", ["first_name", "last_name"]),
                ("marriages", "dopa.marriage.v1", ["marriage_count", "marriages"]),
            )
        ),
        one(
            "mea-person",
            "mea",
            "dopa.person.v1",
            [term(DEPOSIT, ["life_status", "name_matches"], lawful_basis="24(3)", authority=CONTRACT)],
        ),
        one(
            "town-student",
            "town",
            "moe.student.v1",
            [term(SCHOLARSHIP, ["grade", "gpax"], lawful_basis="consent", consent=RULES)],
        ),
    ]


def seed(gateway: RunningGateway, held: dict[str, Agency]) -> None:
    """Everyone and everything of the stories, through signed acts."""

    def operator(name: str, source: str) -> dict[str, Any]:
        return {"id": name, "name": name, "role": "owner", "agency": source, "keys": [gateway.person(name)]}

    with gateway.as_("admin") as admin:
        for name in (*SOURCES, *CLIENTS.values()):
            admin.act("agency.add", {"id": name, "title": title(name)})
        admin.act(
            "operator.add",
            {"id": "admin-2", "name": "admin-2", "role": "admin", "keys": [gateway.person("admin-2")]},
        )
        admin.act(
            "operator.add",
            {"id": "auditor", "name": "auditor", "role": "auditor", "keys": [gateway.person("auditor")]},
        )
        for client, agency in CLIENTS.items():
            body = {"id": client, "agency": agency, "title": title(client), "keys": [gateway.person(client)]}
            admin.act("client.add", {**body, "scopes": ["exchange", "consent"]})
        for client in ("land", "town"):
            admin.act("officer.add", {"client": client, "code": "wanna.k"})
        for code in (OLD_AGE, DISABILITY, NEWBORN, LAND, DEPOSIT, SCHOLARSHIP):
            admin.act(
                "purpose.add",
                {"code": code, "title": title(code), "authority": title("An act"), "replaces": [title("a copy")]},
            )
        for source, agency in held.items():
            registration = registration_of(source, agency.url)
            admin.act("operator.add", operator(f"{source}-owner-1", source))
            confirm(gateway, f"{source}-owner-1", "admin-2")
            admin.act("connector.register", {"registration": registration})
            with gateway.as_(f"{source}-owner-1") as owner:
                owner.act("operator.add", operator(f"{source}-owner-2", source))
                confirm(gateway, f"{source}-owner-2", "admin")
                owner.act("connector.approve", {"agency": source, "digest": digest_of(registration)})
    for form in agreements():
        agree(gateway, form)


@contextmanager
def stories(state: Path) -> Iterator[tuple[RunningGateway, dict[str, Agency]]]:
    """(gateway, sources by name), seeded and ready; everything ends with the block."""
    before = {name: os.environ.get(name) for name in KEYS}
    gateway, held = RunningGateway(state), {}
    try:
        # The harness's processes have this one's environment, and keys of their own for two agencies.
        os.environ.update(KEYS)
        for name in SOURCES:
            held[name] = Agency(name, state / "sandbox" / name)
        gateway.initialise()
        gateway.start()
        seed(gateway, held)
        yield gateway, held
    finally:
        gateway.stop()
        for agency in held.values():
            agency.stop()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
