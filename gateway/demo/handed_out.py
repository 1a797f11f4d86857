"""DIR/demo.json: what a script needs in order to drive the demonstration."""

from __future__ import annotations

import os
from datetime import date
from functools import cache
from typing import Any

import orjson

from connectors.population import story_people
from connectors.population_files import pupil
from gateway.demo.desk import Desk
from gateway.demo.ground import Ground
from gateway.demo.story import HOME, Story
from gateway.keys import write_private
from gateway.model import bangkok_day, now

Json = dict[str, Any]


def hand_out(story: Story, desk: Desk, ground: Ground, url: str) -> None:
    """Writes demo.json, readable by its owner alone, whole or not at all."""
    admin = story.administrator
    operators: list[Json] = [{"id": admin.id, "name": admin.name, "role": "admin"}]
    operators += story.onboarding["operators"]
    operators += [{"id": source.approves.id, "name": source.approves.name, "role": "owner"} for source in story.sources]
    body = {
        "gateway_url": url,
        "pid": os.getpid(),
        "clients": [
            {"client_id": client["id"], "agency": client["agency"], "key_file": str(desk.key_file(client["id"]))}
            for client in story.onboarding["clients"]
        ],
        "operators": [
            {
                "client_id": operator["id"],
                "name": operator["name"],
                "role": operator["role"],
                "key_file": str(desk.key_file(operator["id"])),
            }
            for operator in operators
        ],
        "citizens": [
            {"citizen_id": person.citizen_id, "about": f"{person.about_th} / {person.about_en}"}
            for person in story_people()
        ]
        + [{"citizen_id": pupil().citizen_id, "about": "นักเรียนอายุสิบห้าปี / a pupil of fifteen"}],
        "grants": grants(story, bangkok_day(now())),
    }
    unfinished = ground.handed_out.with_suffix(".unfinished")
    write_private(unfinished, orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
    unfinished.rename(ground.handed_out)


def grants(story: Story, today: date) -> list[Json]:
    """What each client may ask today with a number alone: one entry a term, with an officer where the term wants one.

    Left out is what more is needed for: a term that stands on a consent, a field that is compared with a value.
    """
    groups = {group["id"]: group["members"] for group in story.onboarding["groups"]}
    officers = {entry["client"]: entry["codes"] for entry in story.onboarding["officers"]}
    found: list[Json] = []
    for signing in story.agreements:
        form = signing.form
        if not date.fromisoformat(form["period"]["from"]) <= today <= date.fromisoformat(form["period"]["to"]):
            continue
        consumer = form["consumer"]
        agencies = [consumer["agency"]] if "agency" in consumer else groups[consumer["group"]]
        for client in story.onboarding["clients"]:
            if client["agency"] not in agencies or client["id"] not in form.get("clients", [client["id"]]):
                continue
            for term in form["terms"]:
                fields = [name for name in term["fields"] if not _compares(form["service"], name)]
                if not fields or term["lawful_basis"] == "consent":
                    continue
                grant: Json = {
                    "client_id": client["id"],
                    "service": form["service"],
                    "purpose": term["purpose"],
                    "fields": fields,
                }
                if term.get("officer_required"):
                    grant["officer"] = officers[client["id"]][0]
                found.append(grant)
    return found


@cache
def _schema(service: str) -> Json:
    body: Json = orjson.loads((HOME / "schemas" / f"{service}.json").read_bytes())
    return body


def _compares(service: str, field: str) -> bool:
    return "x-given" in _schema(service)["properties"][field]
