"""`linkage agreement from-template`: one form for many consumers, an agreement for each, all for the source to approve.

All of it is looked at before anything is proposed. Where a proposal fails all the same, those before it stand; the same
command, given again, goes on with the others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter, ValidationError

from gateway.cli.acts import faults_of, placed, send, sentence
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.onboarding import normal_form
from gateway.cli.yaml_files import YamlFile, read_yaml
from gateway.client import Problem
from gateway.values import Id

Json = dict[str, Any]
ACT: Final = "agreement.propose"
CONSUMER: Final = "{consumer}"
"""What a template writes where the consumer's id goes."""
_ID: Final[TypeAdapter[str]] = TypeAdapter(Id)
_SHOWN: Final = 100
"""So many faults are told one by one."""
_LONGEST_WAIT: Final = 60


@remote
def from_template(
    remote: Remote,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The form without its consumer, in YAML.")],
    consumer: Annotated[list[str] | None, typer.Option(help="A consumer's id; may be repeated.")] = None,
    consumers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Consumers' ids, one a line; # begins a comment; - is standard input."),
    ] = None,
) -> None:
    """เสนอข้อตกลงจากแม่แบบ / Proposes one agreement for each consumer: `{consumer}` in the form becomes its id.

    What waits or is in force already, as the form has it, is left as it is.
    """
    form = read_yaml(file)
    if "consumer" in form.body or CONSUMER not in str(form.body.get("id")):
        raise WrongUse(
            "แม่แบบไม่ระบุ consumer และ id ต้องมี {consumer}", "a template names no consumer, and its id holds {consumer}"
        )
    places = _places(consumer or (), consumers)
    bodies = {name: {**_filled(form.body, name), "consumer": {"agency": name}} for name in places}
    _require_fitting(form, bodies, places)
    held = {one["id"]: one for one in remote.gateway.register("agreement")}
    _require_possible(remote, bodies, held, places)
    unchanged = [name for name, body in bodies.items() if _stands(held.get(body["id"]), body)]
    waiting = [name for name in bodies if name not in set(unchanged)]
    done: list[Json] = []
    try:
        for name in waiting:
            done.append(_propose(remote, bodies[name]))
            if not remote.screen.as_json:
                remote.screen.line(sentence(ACT, done[-1]))
    finally:
        left = waiting[len(done) :]
        body = {
            "proposed": [
                {"id": one["id"], "version": one["record"]["pending"]["version"], "index": one["receipt"]["index"]}
                for one in done
            ],
            "unchanged": [bodies[name]["id"] for name in unchanged],
            "not_proposed": left,
        }
        remote.screen.show(body, lambda: _tell(remote, len(done), len(unchanged), [places[name] for name in left]))


def _propose(remote: Remote, body: Json) -> Json:
    """One proposal; where the gateway says that it is asked too often, after as long as it says."""
    while True:
        try:
            return send(remote, ACT, body)
        except Problem as problem:
            if problem.code != "too_many_requests" or problem.retry_after is None:
                raise
            time.sleep(min(max(problem.retry_after, 1), _LONGEST_WAIT))


def _tell(remote: Remote, done: int, unchanged: int, left: Sequence[str]) -> None:
    screen = remote.screen
    screen.say(
        f"เสนอ {done} ฉบับ มีอยู่แล้ว {unchanged} ฉบับ ยังไม่ได้เสนอ {len(left)} ฉบับ",
        f"{done} proposed, {unchanged} there already, {len(left)} not proposed",
    )
    if left:
        screen.say(
            f"หยุดที่ {left[0]} แก้ตามที่แจ้งแล้วสั่งคำสั่งเดิมอีกครั้ง ฉบับที่เสนอแล้วจะไม่ถูกเสนอซ้ำ",
            f"it stopped at {left[0]}: mend what is told, and give the same command again; "
            "what is proposed already is not proposed twice",
        )


def _places(named: Sequence[str], file: Path | None) -> dict[str, str]:
    """Each consumer's id, and where it stands. WrongUse tells of every line that is no id or repeats one."""
    places: dict[str, str] = {}
    faults: list[str] = []
    lines = [(f"--consumer {place}", name) for place, name in enumerate(dict.fromkeys(named), 1)]
    for at, line in [*lines, *(_lines(file) if file is not None else ())]:
        name = line.partition("#")[0].strip()
        if not name:
            continue
        if not _is_id(name):  # which it is not said to be: it may be a person's
            faults.append(f"{at}: ไม่ใช่รหัสหน่วยงาน / not an agency's id")
        elif name in places:
            faults.append(f"{at}: ซ้ำกับ {places[name]} / the same as {places[name]}")
        else:
            places[name] = at
    if faults:
        raise WrongUse(
            "รายชื่อหน่วยงานผู้ใช้ข้อมูลไม่ถูกต้อง ยังไม่ได้เสนอข้อตกลงใด",
            "the list of consumers is not in order; nothing was proposed",
            _first(faults),
        )
    if not places:
        raise WrongUse(
            "ระบุหน่วยงานผู้ใช้ข้อมูลด้วย --consumer หรือ --consumers", "name the consumers: --consumer, or --consumers FILE"
        )
    return places


def _lines(file: Path) -> list[tuple[str, str]]:
    """(where it stands, the line) of each line of a file, or of standard input."""
    name = "stdin" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.read() if name == "stdin" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise WrongUse(f"อ่านไฟล์ {name} ไม่ได้", f"{name} cannot be read as UTF-8 text") from None
    return [(f"{name}:{number}", line) for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1)]


def _is_id(name: str) -> bool:
    try:
        _ID.validate_python(name)
    except ValidationError:
        return False
    return True


def _require_fitting(form: YamlFile, bodies: Mapping[str, Json], places: Mapping[str, str]) -> None:
    """WrongUse where the form does not fit; once for what is wrong with all, by the consumer for what is not."""
    faults: dict[str, list[str]] = {}
    for name, body in bodies.items():
        for place, what in faults_of(ACT, body):
            faults.setdefault(f"{form.at(place)}: {placed(place, what)}", []).append(name)
    if faults:
        told = [
            fault if len(names) == len(bodies) else f"{fault} ({places[name]})"
            for fault, names in faults.items()
            for name in (names[:1] if len(names) == len(bodies) else names)
        ]
        raise WrongUse("ข้อตกลงไม่ได้อยู่ในรูปแบบที่กำหนด", "the agreement does not fit its form", _first(told))


def _require_possible(
    remote: Remote, bodies: Mapping[str, Json], held: Mapping[str, Json], places: Mapping[str, str]
) -> None:
    """Refused where a consumer is not registered, or its agreement's id is another's, or was revoked."""
    agencies = {one["id"] for one in remote.gateway.register("agency")}
    faults = []
    for name, body in bodies.items():
        there = held.get(body["id"])
        if name not in agencies:
            faults.append(f"{places[name]}: ไม่มีหน่วยงาน {name} ในทะเบียน / no agency {name} is registered")
        elif there is not None and (there["status"] == "revoked" or _parties(there) != _parties(body)):
            faults.append(
                f"{places[name]}: รหัสข้อตกลง {body['id']} ถูกเพิกถอนแล้วหรือเป็นของคู่สัญญาอื่น / "
                f"the agreement {body['id']} was revoked, or is between others"
            )
    if faults:
        raise Refused("ยังไม่ได้เสนอข้อตกลงใด", "nothing was proposed", _first(faults))


def _parties(body: Json) -> tuple[str, str | None, str | None]:
    consumer = body["consumer"]
    return body["service"], consumer.get("agency"), consumer.get("group")


def _stands(record: Json | None, body: Json) -> bool:
    """Whether this very form waits for approval, or is in force. A refused one is proposed anew."""
    if record is None:
        return False
    pending = (record["pending"] or {}).get("form")
    there = [pending] if pending else []
    there += [record] if record["version"] and record["status"] in ("active", "suspended") else []
    wanted = normal_form(ACT, body)
    return any(normal_form(ACT, one) == wanted for one in there)


def _first(faults: list[str]) -> list[str]:
    more = len(faults) - _SHOWN
    return [*faults[:_SHOWN], f"และอีก {more} รายการ / and {more} more"] if more > 0 else faults


def _filled(value: Any, consumer: str) -> Any:
    if isinstance(value, str):
        return value.replace(CONSUMER, consumer)
    if isinstance(value, dict):
        return {name: _filled(item, consumer) for name, item in value.items()}
    return [_filled(item, consumer) for item in value] if isinstance(value, list) else value
