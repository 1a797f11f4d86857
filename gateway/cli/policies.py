"""`linkage policy`: rules checked and tried, a question explained, a set proposed by one and approved by another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.acts import given, perform
from gateway.cli.connection import Remote, local, remote
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import Screen, brief, csv_text
from gateway.cli.questions import read_identifier
from gateway.model import now, timestamp
from gateway.policy import Judge, PolicySet, Problem, check, read_examples, replay, shipped, try_examples

app = typer.Typer(help="กติกา / The rules", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Argument(metavar="[FOLDER]", help="The folder of the rules.", show_default="the shipped ones")
]
Draft = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the rules.")]
_OTHERWISE = (
    ("รายการ", "exchange_id"),
    ("เวลา", "decided_at"),
    ("ระบบ", "client"),
    ("บริการข้อมูล", "service"),
    ("วัตถุประสงค์", "purpose"),
    ("ผลเดิม", "was"),
    ("ผลตามร่าง", "would_be"),
)


@app.command("check")
@local
def check_folder(screen: Screen, folder: Folder = None) -> None:
    """ตรวจกติกาและตัวอย่าง / Checks the rules: types, ids, texts, examples, rules that no example reaches.

    A set that is made for other facts than this version states is refused, as a gateway of this version refuses it.
    """
    policies = _sound(folder or shipped())
    found = {"digest": policies.digest, "policies": len(policies.policies), "files": len(policies.files)}

    def render() -> None:
        screen.say("กติกาถูกต้อง", "the rules are in order")
        screen.fields(found)

    screen.show(found, render)


@app.command("test")
@local
def try_folder(screen: Screen, folder: Folder = None) -> None:
    """ทดลองกติกากับตัวอย่าง / Runs the examples: each is to be decided as its folder's name says."""
    folder = folder or shipped()
    examples, unread = read_examples(folder)
    tried = try_examples(_set_of(folder), examples)
    rows = [
        {
            "example": example.name,
            "expected": "permit" if example.permit else "deny",
            "passed": problem is None,
            "codes": sorted(example.codes),
            "problem": {"en": problem.en, "th": problem.th} if problem else None,
        }
        for example, problem in tried
    ]
    columns = [("ตัวอย่าง", "example"), ("ผ่าน", "passed"), ("รหัสเหตุผล", "codes"), ("ปัญหา", "problem")]
    failed = [*unread, *(problem for _, problem in tried if problem is not None)]

    def render() -> None:
        screen.table(columns, ([row[name] for _, name in columns] for row in rows))
        screen.say(f"{len(rows)} ตัวอย่าง ไม่ผ่าน {len(failed)}", f"{len(rows)} examples, {len(failed)} failed")

    screen.show({"examples": rows, "failed": len(failed)}, render)
    if failed or not rows:
        raise _unsound(failed)


@app.command("show")
@remote
def show(remote: Remote) -> None:
    """แสดงกติกาที่ใช้อยู่และชุดที่รออนุมัติ / Shows the rules in force, and the set that waits for approval."""
    record = remote.gateway.record("policies", "active")
    pending = record.get("pending")
    shown = {name: record.get(name) for name in ("digest", "version", "proposed_by", "approved_by", "approved_at")}
    shown["pending"] = {name: v for name, v in pending.items() if name != "document"} if pending else None
    policies = PolicySet.from_json(record["document"])
    rules = [{"id": p.id, "code": p.code, "section": p.section, "title": p.title_en} for p in policies.policies]

    def render() -> None:
        remote.screen.fields(shown)
        rows = ([p.id, p.code, p.section, f"{p.title_th} / {p.title_en}"] for p in policies.policies)
        remote.screen.table([("กติกา", "id"), ("รหัส", "code"), ("มาตรา", "section"), ("สาระ", "title")], rows)

    remote.screen.show({**shown, "rules": rules}, render)


@app.command("explain")
@remote
def explain(
    remote: Remote,
    service: Annotated[str, typer.Option(help="The service's id, like dopa.person.v1.")],
    purpose: Annotated[str, typer.Option(help="The purpose's code.")],
    client: Annotated[str | None, typer.Option(help="Whose question it is: for operators.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="A field; may be repeated. Without it, the term's.")] = None,
    officer: Annotated[str | None, typer.Option(help="The staff code of the officer.")] = None,
    consent_id: Annotated[str | None, typer.Option("--consent", help="The consent it rests on.")] = None,
    citizen: Annotated[
        bool, typer.Option("--citizen", help="Read the ID from standard input: only a consent depends on it.")
    ] = False,
    juristic: Annotated[bool, typer.Option("--juristic", help="As --citizen, of a juristic person.")] = False,
) -> None:
    """อธิบายผลการวินิจฉัย / Explains what would be decided, asking no source and recording no exchange."""
    identifier = {"juristic_id" if juristic else "citizen_id": read_identifier()} if citizen or juristic else {}
    more = given(client=client, fields=field, officer=officer, consent_id=consent_id)
    body = remote.gateway.explain({"service": service, "purpose": purpose, **more, **identifier})
    remote.screen.show(body, lambda: _show_explanation(remote.screen, body))


@app.command("propose")
@remote
def propose(remote: Remote, folder: Draft) -> None:
    """เสนอชุดกติกา / Proposes a set of rules, once it and its examples are in order."""
    perform(remote, "policies.propose", {"document": _sound(folder).as_json()})


@app.command("approve")
@remote
def approve(
    remote: Remote, digest: Annotated[str, typer.Argument(metavar="DIGEST", help="The set that you have read.")]
) -> None:
    """อนุมัติชุดกติกา / Approves a proposed set, as an administrator who did not propose it; it holds at once."""
    perform(remote, "policies.approve", {"digest": digest})


@app.command("replay")
@remote
def replay_folder(
    remote: Remote,
    folder: Draft,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Of so many days until now.")] = 7,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """ลองร่างกติกากับรายการที่ผ่านมา / Tries draft rules on what was decided: which would have gone otherwise."""
    if as_csv and remote.screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    policies = _set_of(folder)
    judged, without_facts = 0, 0

    def recorded() -> Iterator[dict[str, Any]]:
        nonlocal judged, without_facts
        for one in _recorded(remote, days):
            if one["facts"] is None:
                without_facts += 1
            else:
                judged += 1
                yield one

    found = [otherwise for otherwise in replay(Judge(policies), recorded()) if otherwise is not None]
    rows = [otherwise.as_json() for otherwise in found]
    turned = sum(otherwise.turned for otherwise in found)
    body = {
        "digest": policies.digest,
        "judged": judged,
        "without_facts": without_facts,
        "turned": turned,
        "otherwise": rows,
    }
    if as_csv:
        names = [name for _, name in _OTHERWISE]
        remote.screen.raw(csv_text(names, ([row[name] for name in names] for row in rows)))
        return

    def render() -> None:
        if rows:
            remote.screen.table(_OTHERWISE, ([row[name] for _, name in _OTHERWISE] for row in rows))
        remote.screen.say(
            f"ลองแล้ว {judged} รายการ ผลกลับกัน {turned} เหตุผลต่างไป {len(rows) - turned}",
            f"{judged} tried, {turned} would have turned, {len(rows) - turned} for other reasons",
        )
        if without_facts:
            remote.screen.say(f"{without_facts} รายการไม่มีข้อเท็จจริง", f"{without_facts} have no facts on record")

    remote.screen.show(body, render)


def _recorded(remote: Remote, days: int) -> Iterator[dict[str, Any]]:
    """The decisions of the last days, page by page."""
    end = now()
    since, until, after = timestamp(end - timedelta(days=days)), timestamp(end), None
    while True:
        page = remote.gateway.facts(since, until, after)
        yield from page["recorded"]
        after = page["next"]
        if after is None:
            return


def _set_of(folder: Path) -> PolicySet:
    try:
        return PolicySet.from_folder(folder)
    except FileNotFoundError:
        raise WrongUse(f"ไม่พบกติกาใน {folder}", f"there are no rules in {folder}") from None


def _sound(folder: Path) -> PolicySet:
    """The folder's set, or Refused with everything that is wrong with it and its examples."""
    problems = check(folder)
    if problems:
        raise _unsound(problems)
    return _set_of(folder)


def _unsound(problems: list[Problem]) -> Refused:
    lines = [
        ": ".join(part for part in (one.file, one.policy, f"{one.th} / {one.en}") if part) for one in problems
    ] or ["ไม่มีตัวอย่าง / there are no examples"]
    return Refused("กติกายังไม่ถูกต้อง", "the rules are not in order", lines)


def _show_explanation(screen: Screen, body: dict[str, Any]) -> None:
    screen.say("อนุญาต", "permitted") if body["permit"] else screen.say("ปฏิเสธ", "refused")
    names = ("agreement", "term", "lawful_basis", "authority", "consent_id", "fields", "policy_digest")
    screen.fields({name: body[name] for name in names if body[name]})
    columns = [("กติกา", "rule"), ("มาตรา", "section"), ("สาระ", "what it says")]
    screen.table(columns, ([r["id"], r["section"], f"{r['title_th']} / {r['title']}"] for r in body["rules"]))
    for number, reason in enumerate(body["reasons"], 1):
        about = (reason["code"], reason.get("clause", ""), brief(reason.get("fields")))
        screen.line(f"{number}. {' · '.join(text for text in about if text)}")
        screen.line(f"   ทางแก้: {reason['remedy_th']}")
        screen.line(f"   Remedy: {reason['remedy']}")
        if reason.get("ask"):
            screen.line(f"   สอบถาม / ask: {reason['ask']}")
