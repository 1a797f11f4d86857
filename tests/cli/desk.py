"""A small government and the people in it: a gateway, one source agency, and who signs what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.harness import Agency, RunningGateway

PERSON, HOUSE, PURPOSE = "dopa.person.v1", "dopa.house.v1", "welfare.old-age-allowance"


@dataclass
class Desk:
    """Where the people of one small government sit. `desk("admin", "agency", "list")`: a command by one of them."""

    linkage: Any
    gateway: RunningGateway
    folder: Path
    endpoint: str

    def __call__(self, who: str, *arguments: object, key: Path | None = None, stdin: str = "") -> Any:
        key = key or self.gateway.keys / f"{who}.jwk"
        return self.linkage(*arguments, "--url", self.gateway.url, "--as", who, "--key", key, stdin=stdin)

    def write(self, name: str, body: Any) -> Path:
        """A YAML file."""
        (self.folder / name).write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
        return self.folder / name

    def ask(self, *more: object, stdin: str, key: Path | None = None) -> Any:
        """A question by the city's system."""
        question = ["exchange", "--service", PERSON, "--purpose", PURPOSE]
        return self("city-welfare", *question, *more, stdin=stdin, key=key)

    def onboard(self) -> None:
        """Everything of `document`, approved by those who have to."""
        file = self.write("onboarding.yaml", document(self.endpoint))
        second = ["operator", "add", "admin-2", "--name", "admin-2", "--role", "admin"]
        for who, *arguments in (
            ("admin", *second, "--public-key", self.gateway.keys / "admin-2.jwk"),
            ("admin", "apply", file),
            ("admin-2", "operator", "confirm", "owner-1"),
            ("owner-1", "apply", file),
            ("admin", "operator", "confirm", "owner-2"),
            ("owner-1", "connector", "approve", "dopa", "--yes"),
            ("admin", "apply", file),
            ("owner-2", "agreement", "approve", "city-person", "--yes"),
        ):
            ran = self(who, *arguments)
            assert ran.code == 0, ran.err


@contextmanager
def opened(folder: Path, linkage: Any) -> Iterator[Desk]:
    agency = Agency("dopa", folder / "sandbox")
    gateway = RunningGateway(folder)
    try:
        gateway.initialise()
        gateway.start()
        for name in ("city-welfare", "owner-1", "owner-2", "auditor", "admin-2"):
            gateway.person(name, "ES256" if name == "city-welfare" else "EdDSA")
        yield Desk(linkage, gateway, folder, agency.url)
    finally:
        gateway.stop()
        agency.stop()


def title(thai: str, english: str) -> dict[str, str]:
    return {"th": thai, "en": english}


def agreement(service: str, fields: list[str]) -> dict[str, Any]:
    today = date.today()
    return {
        "id": f"city-{service.split('.')[1]}",
        "title": title("เบี้ยยังชีพผู้สูงอายุ", "Old-age allowance"),
        "consumer": {"agency": "city"},
        "service": service,
        "period": {"from": str(today), "to": str(today + timedelta(days=365))},
        "controller": {"consumer": "controller", "source": "controller"},
        "retention": {"days": 90, "destruction": "shredded"},
        "contacts": {"consumer": "desk@city.example", "source": "desk@dopa.example"},
        "terms": [
            {
                "id": "t1",
                "purpose": PURPOSE,
                "fields": fields,
                "lawful_basis": "24(4)",
                "authority": title("พ.ร.บ.ผู้สูงอายุ", "Older Persons Act"),
                "oia_ground": "24(2)",
                "notice": {"id": "city-notice", "version": "1.0"},
            }
        ],
    }


def document(endpoint: str) -> dict[str, Any]:
    root = Path(__file__).resolve().parents[2]
    owner = {"role": "owner", "agency": "dopa"}
    return {
        "agencies": [
            {"id": "dopa", "title": title("กรมการปกครอง", "Department of Provincial Administration")},
            {"id": "city", "title": title("เทศบาลนคร", "The city"), "contact": "02-000-0000"},
        ],
        "groups": [{"id": "cities", "title": title("เทศบาล", "Cities"), "members": ["city"]}],
        "clients": [
            {
                "id": "city-welfare",
                "agency": "city",
                "title": title("ระบบ", "System"),
                "keys": ["people/city-welfare.jwk"],
            }
        ],
        "officers": [{"client": "city-welfare", "codes": ["A-0117", "A-0118"]}],
        "operators": [
            {"id": "owner-1", "name": "สมหญิง", "keys": ["people/owner-1.jwk"], **owner},
            {"id": "owner-2", "name": "สมชาย", "keys": ["people/owner-2.jwk"], **owner},
            {"id": "auditor", "name": "ผู้ตรวจ", "role": "auditor", "keys": ["people/auditor.jwk"]},
        ],
        "purposes": [
            {
                "code": PURPOSE,
                "title": title("เบี้ยยังชีพผู้สูงอายุ", "Old-age allowance"),
                "authority": title("พ.ร.บ.ผู้สูงอายุ พ.ศ. ๒๕๔๖", "Older Persons Act B.E. 2546"),
                "replaces": [title("สำเนาทะเบียนบ้าน", "Copy of the house registration")],
            }
        ],
        "connectors": [{"folder": str(root / "connectors" / "dopa"), "endpoint": endpoint}],
        "agreements": [
            agreement(PERSON, ["date_of_birth", "life_status", "nationality", "name_matches"]),
            agreement(HOUSE, ["local_authority"]),
        ],
    }
