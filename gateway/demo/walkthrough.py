"""The walk-through: one question after the other, each answer held against what it should be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.population import population, sentinels
from gateway.client import ClientError, Gateway, Problem
from gateway.demo.consent_desk import ConsentDesk
from gateway.demo.desk import Desk
from gateway.demo.ground import Ground
from gateway.demo.processes import SandboxAgency
from gateway.demo.story import Step, Story
from gateway.demo.telling import Telling
from gateway.demo.witnessing import Witnessed

Json = dict[str, Any]

_OUTCOMES: Final = {200: "released", 403: "refused", 404: "failed", 503: "failed"}
"""What the log holds of an exchange, by the status that it was answered with. What is malformed is only counted."""
_BEHIND_SECONDS: Final = 10.0
"""The log can be searched a moment after it was written: so long at most."""


@dataclass(slots=True)
class Walk:
    """One walk-through over a seeded gateway.

    `went_wrong`: how many checks failed. `results`: {"step", "faults"} of each. `asked`: step and exchange id.
    """

    story: Story
    desk: Desk
    ground: Ground
    url: str
    sandboxes: Mapping[str, SandboxAgency]
    telling: Telling
    witnessed: Witnessed
    went_wrong: int = 0
    results: list[Json] = field(default_factory=list)
    asked: list[tuple[Step, str]] = field(default_factory=list)
    consents: ConsentDesk = field(init=False)

    def __post_init__(self) -> None:
        self.consents = ConsentDesk(self.story.consent, self.desk, self.ground)

    def walk(self) -> None:
        """Every step, then the log."""
        with ExitStack() as stack:
            clients = {
                step.client: Gateway(self.url, step.client, self.desk.key_file(step.client))
                for step in self.story.steps
            }
            for client in clients.values():
                stack.callback(client.close)
            for number, step in enumerate(self.story.steps, 1):
                self._show(number, step, clients[step.client])
        self._show_log(len(self.story.steps) + 1)

    def _show(self, number: int, step: Step, client: Gateway) -> None:
        self.telling.heading(number, step.title)
        self.telling.both(step.before)
        if step.consent is not None:
            self.consents.change(step.consent)
        if step.without is None:
            faults = self._ask(step, client)
        else:
            sandbox = self.sandboxes[step.without]
            sandbox.stop()
            try:
                faults = self._ask(step, client)
            finally:
                sandbox.start()
                sandbox.wait()
        if step.after is not None:
            self.telling.both(step.after)
        self._judged(step.title["en"], faults)

    def _ask(self, step: Step, client: Gateway) -> list[str]:
        """Asks, shows both sides, and says what is not as expected."""
        self.telling.request(step.client, "POST /v1/exchanges", step.question)
        try:
            answer = client.exchange(**step.question)
        except Problem as problem:
            body = problem.as_json()
            self.telling.answer(problem.status, body)
            self.asked.append((step, problem.exchange_id or ""))
            return differences(step.expect, problem.status, body)
        except ClientError as error:
            return [f"{type(error).__name__}: {error}"]
        self.telling.answer(200, answer.as_json())
        self.asked.append((step, answer.exchange_id))
        return differences(step.expect, 200, answer.as_json())

    def _show_log(self, number: int) -> None:
        """What the log holds of all this, as the auditor sees it, and what it does not hold."""
        auditor, telling = self.story.auditor, self.telling
        telling.heading(number, {"th": "บันทึกการแลกเปลี่ยนข้อมูลที่ผู้ตรวจสอบเห็น", "en": "What the log holds"})
        wanted = {
            exchange_id: _OUTCOMES[status]
            for step, exchange_id in self.asked
            if (status := step.expect["status"]) in _OUTCOMES
        }
        found = self._search(auditor, wanted)
        telling.table(
            [
                ("ผล", "outcome"),
                ("ระบบ", "client"),
                ("บริการข้อมูล", "service"),
                ("วัตถุประสงค์", "purpose"),
                ("เจ้าหน้าที่", "officer"),
                ("เหตุผล", "reasons"),
            ],
            [_row(exchange) for exchange in found],
        )
        outcomes = {exchange["exchange_id"]: exchange["outcome"] for exchange in found}
        self._judged(
            "the log",
            [
                f"exchange {exchange_id}: {outcomes.get(exchange_id, 'not in the log')}, expected {outcome}"
                for exchange_id, outcome in wanted.items()
                if outcomes.get(exchange_id) != outcome
            ],
        )
        self._show_one(auditor)
        self._show_proof()
        self._search_citizen(auditor)
        self._search_bytes()

    def _search(self, auditor: str, wanted: Mapping[str, str]) -> list[Json]:
        deadline = time.monotonic() + _BEHIND_SECONDS
        found: list[Json] = self.desk.give(auditor, "log", "search", "--limit", "50")["exchanges"]
        while time.monotonic() < deadline and not _complete(found, wanted):
            time.sleep(0.2)
            found = self.desk.give(auditor, "log", "search", "--limit", "50", quiet=True)["exchanges"]
        return sorted(found, key=lambda exchange: str(exchange["decided_at"]))

    def _show_one(self, auditor: str) -> None:
        self.telling.both(
            {
                "th": "รายการแรกของการแลกเปลี่ยนแรก บุคคลปรากฏเป็นนามแฝงที่สร้างด้วยกุญแจ คำถามเป็นค่าแฮชที่สร้างด้วยกุญแจ",
                "en": "The first exchange's first entry: the person is a keyed pseudonym, the question a keyed digest.",
            }
        )
        self.telling.json(self.desk.give(auditor, "log", "show", self.asked[0][1])["contents"][0])

    def _show_proof(self) -> None:
        """The first question's own client fetches its proof, and checks it with nothing but the two verifier keys."""
        self.telling.both(
            {
                "th": "หลักฐานของรายการนั้น ตรวจได้โดยไม่ต้องเชื่อมต่อ ด้วยกุญแจตรวจสอบของบันทึกและของพยานซึ่งเป็นโพรเซสต่างหาก",
                "en": "Its proof, checked offline with the keys of the log and of its witness, another process.",
            }
        )
        step, exchange_id = self.asked[0]
        file, keys = self.ground.desk / "proof.json", self.witnessed
        self.desk.give(step.client, "proof", "fetch", exchange_id, "--out", str(file))
        verify = ["proof", "verify", str(file), "--vkey", keys.log, "--witness", keys.witness, "--witnesses", "1"]
        report = self.desk.local(*verify)
        self.telling.json({"good": report["good"], "notes": report["notes"]})
        self._judged("the proof", [finding["what"] for finding in report["findings"]])

    def _search_citizen(self, auditor: str) -> None:
        self.telling.both(
            {
                "th": "ค้นด้วยเลขประจำตัวประชาชนได้ เมื่อระบุเหตุผล เลขส่งทาง standard input และการค้นถูกบันทึกด้วย",
                "en": "A search by citizen needs a reason. The number comes on standard input; the search is logged.",
            }
        )
        citizen = str(self.story.steps[0].question["citizen_id"])
        reason = "คำร้องขอเข้าถึงข้อมูล / access request, PDPA s.30"
        arguments = ["log", "search", "--citizen", "--reason", reason]
        found = self.desk.give(auditor, *arguments, standard_input=f"{citizen}\n")["exchanges"]
        asked = {
            exchange_id
            for step, exchange_id in self.asked
            if step.question["citizen_id"] == citizen and step.expect["status"] in _OUTCOMES
        }
        missing = asked - {exchange["exchange_id"] for exchange in found}
        faults = [f"exchange {exchange_id} was not found by its citizen" for exchange_id in sorted(missing)]
        self._judged("the log, by citizen", faults)

    def _search_bytes(self) -> None:
        """No one who was asked about stands in anything the gateway wrote: its state, its database, its own log."""
        identifiers = {str(step.question["citizen_id"]) for step, _ in self.asked}
        people = population()
        wanted = [
            value.encode()
            for identifier in identifiers
            for value in (identifier, *(sentinels(people[identifier]) if identifier in people else ()))
        ]
        files = [file for folder in (self.ground.gateway, self.ground.logs) for file in folder.rglob("*")]
        contents = {file: file.read_bytes() for file in files if file.is_file()}
        faults = [
            f"someone who was asked about is named in {file.relative_to(self.ground.folder)}"
            for file, content in contents.items()
            if any(value in content for value in wanted)
        ]
        kilobytes = sum(len(content) for content in contents.values()) // 1024
        self.telling.both(
            {
                "th": f"ค้นทุกไบต์ที่เกตเวย์เขียนไว้ ({kilobytes} KB) หาเลขประจำตัวประชาชน ชื่อ และบ้านของผู้ที่ถูกถามถึง",
                "en": f"All {kilobytes} KB that the gateway wrote, searched for these people's IDs, names, houses.",
            }
        )
        self._judged("every byte", faults, "ไม่พบ", "none found")

    def _judged(
        self, step: str, faults: list[str], thai: str = "เป็นไปตามที่ควร", english: str = "as it should be"
    ) -> None:
        self.went_wrong += bool(faults)
        self.results.append({"step": step, "faults": faults})
        self.telling.outcome(faults, thai, english)


def differences(expect: Mapping[str, Any], status: int, body: Mapping[str, Any]) -> list[str]:
    """In what an answer is not as expected. `data`: the values of the fields that it names."""
    expected = expect.get("data", {})
    found: dict[str, Any] = {
        "status": status,
        "code": body.get("code"),
        "reasons": [reason["code"] for reason in body.get("reasons", [])],
        "fields": sorted(body.get("data", {})),
        "data": {name: body.get("data", {}).get(name) for name in expected},
    }
    wanted = {name: sorted(value) if name == "fields" else value for name, value in expect.items()}
    return [f"{name}: expected {value}, was {found[name]}" for name, value in wanted.items() if found[name] != value]


def _complete(found: list[Json], wanted: Mapping[str, str]) -> bool:
    closed = {exchange["exchange_id"] for exchange in found if exchange.get("outcome") in _OUTCOMES.values()}
    return wanted.keys() <= closed


def _fault(exchange: Json) -> str:
    return str(exchange.get("fault") or "").partition(":")[0]


def _row(exchange: Json) -> list[str]:
    texts = [exchange.get(name) or "" for name in ("outcome", "client", "service", "purpose", "officer")]
    return [*map(str, texts), ", ".join(exchange.get("reasons") or []) or _fault(exchange)]
