"""The counter at which a pupil and a parent consent, and withdraw: by command, their numbers on standard input."""

from __future__ import annotations

from datetime import timedelta

import yaml

from gateway.demo.desk import Desk
from gateway.demo.ground import Ground
from gateway.demo.story import Consent
from gateway.model import now, timestamp

_VALID = timedelta(days=180)


class ConsentDesk:
    """Takes the story's consent and withdraws it, as its collector."""

    def __init__(self, consent: Consent, desk: Desk, ground: Ground) -> None:
        self._consent = consent
        self._desk = desk
        self._file = ground.desk / consent.form.name
        self._id = ""

    def change(self, to: str) -> None:
        """`given` or `withdrawn`."""
        if to == "given":
            self._give()
        else:
            arguments = ["consent", "withdraw", self._id, "--reason", "ผู้ปกครองขอถอน / the parent asks"]
            self._desk.give(self._consent.client, *arguments)

    def _give(self) -> None:
        consent, until = self._consent, timestamp(now() + _VALID)
        form = yaml.safe_load(consent.form.read_text(encoding="utf-8"))
        form = {**form, "validity": {"to": until}, "confirm_by": until}
        self._file.write_text(yaml.safe_dump(form, allow_unicode=True, sort_keys=False), encoding="utf-8")
        given = self._desk.give(
            consent.client,
            *("consent", "give", str(self._file), "--notice", str(consent.notice), "--guardian"),
            standard_input=f"{consent.citizen_id}\n{consent.guardian}\n",
            shown=["consent", "give", self._file.name, "--notice", consent.notice.name, "--guardian"],
        )
        self._id = str(given["consent"]["id"])
