"""Registering everything as administrators and owners do, each with the own key: no other way in is used."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import orjson

from gateway.demo.desk import Desk
from gateway.demo.ground import Ground
from gateway.demo.processes import SandboxAgency
from gateway.demo.story import HOME, Source, Story
from gateway.demo.telling import Telling


def make_keys(story: Story, desk: Desk, ground: Ground) -> None:
    """A key for everyone; its public half lies beside it, as its holder sends it in."""
    for who in story.key_holders():
        algorithm = "ES256" if who in story.p256 else "EdDSA"
        public = desk.local("keys", "new", "--out", str(desk.key_file(who)), "--alg", algorithm)
        desk.key_file(who).with_suffix(".public.jwk").write_bytes(orjson.dumps(public))
    shutil.copy(story.onboarding_file, ground.desk / "onboarding.yaml")


def register(
    story: Story, desk: Desk, ground: Ground, sandboxes: Mapping[str, SandboxAgency], telling: Telling
) -> None:
    """Agencies, systems, people and purposes; then the connectors; then the agreements."""
    telling.stage("ลงทะเบียนหน่วยงาน ระบบ เจ้าหน้าที่ และวัตถุประสงค์", "registering agencies, systems, officers and purposes")
    file = str(ground.desk / "onboarding.yaml")
    desk.give(story.administrator.id, "apply", file, shown=["apply", "onboarding.yaml"])
    for operator in story.onboarding["operators"]:
        if operator["role"] == "owner":
            desk.give(story.second_administrator, "operator", "confirm", operator["id"])
    telling.stage("ลงทะเบียนบริการข้อมูล ผู้ลงทะเบียนกับผู้อนุมัติเป็นคนละคน", "registering services: who registers does not approve")
    for source in story.sources:
        _register_source(source, story.administrator.id, desk, sandboxes[source.agency].url)
    telling.stage("เสนอและอนุมัติข้อตกลงการแบ่งปันข้อมูล", "proposing and approving the agreements")
    for signing in story.agreements:
        name, shown = signing.form["id"], ["agreement", "propose", signing.file.name]
        proposed = desk.give(signing.proposes, "agreement", "propose", str(signing.file), shown=shown)
        version = str(proposed["record"]["pending"]["version"])
        desk.give(signing.approves, "agreement", "approve", name, "--version", version)


def _register_source(source: Source, administrator: str, desk: Desk, url: str) -> None:
    colleague, agency = source.approves, source.agency
    public = desk.key_file(colleague.id).with_suffix(".public.jwk")
    enrol = ["operator", "add", colleague.id, "--name", colleague.name, "--role", "owner", "--agency", agency]
    desk.give(
        source.registers,
        *enrol,
        "--public-key",
        str(public),
        shown=[*enrol, "--public-key", f"keys/{public.name}"],
    )
    desk.give(administrator, "operator", "confirm", colleague.id)
    folder = HOME / "connectors" / agency
    registered = desk.give(
        source.registers,
        *("connector", "register", str(folder), "--endpoint", url),
        shown=["connector", "register", f"connectors/{agency}", "--endpoint", url],
    )
    digest = registered["record"]["pending"]["digest"]
    desk.give(colleague.id, "connector", "approve", agency, "--digest", digest)
