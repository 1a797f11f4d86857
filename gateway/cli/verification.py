"""`linkage log verify` and `linkage proof verify`: checks that need no trust in whoever runs the gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from gateway.cli.connection import Remote, local, remote
from gateway.cli.failures import REFUSED, Refused, WrongUse
from gateway.cli.local import read_settings
from gateway.cli.output import Screen, json_text
from gateway.tlog.note import NoteError, VerifierKey, parse_key
from gateway.verification.findings import Report

proof = typer.Typer(help="หลักฐานการแลกเปลี่ยน / Proofs of exchanges", no_args_is_help=True)

Vkey = Annotated[
    str | None,
    typer.Option("--vkey", metavar="KEY|FILE", help="The log's verifier key, or a file that holds it."),
]
WitnessKeys = Annotated[
    list[str] | None,
    typer.Option("--witness", metavar="KEY|FILE", help="A witness's verifier key, or a file with one a line."),
]
Wanted = Annotated[int, typer.Option("--witnesses", min=0, help="How many of the witnesses must have cosigned.")]


_WITHOUT_PROOF = {
    "agency": (
        "เป็นรายงานของหน่วยงานเดียว แสดงเฉพาะครั้งที่หน่วยงานนั้นเป็นผู้ขอหรือเจ้าของข้อมูล และไม่มีจำนวนทั้งหมด ซึ่งจะเผยถึงหน่วยงานอื่น",
        "it is one agency's: it lists that agency's accesses alone, with no count of all, which would tell of others'",
    ),
    "partial": (
        "รายงานระบุเองว่ามีเพียงบางส่วน ให้จัดทำเป็นช่วงเวลาที่สั้นลง",
        "it says itself that it is a part: have it made of a shorter time",
    ),
    "unmapped": (
        "ขณะจัดทำ บันทึกยังไม่มีแผนที่จำนวนรายการของบุคคล หรือบุคคลนี้มีรายการมากเกินกว่าจะแสดงได้ ให้จัดทำใหม่ภายหลัง",
        "when it was made, the log had no map of its subjects yet, or more entries of the person than can be shown: "
        "have it made again later",
    ),
}
"""Why a report about a person does not show that it is complete."""


@proof.callback()
def _proof() -> None:
    """หลักฐานการแลกเปลี่ยน / Proofs of exchanges"""


@proof.command("fetch")
@remote
def fetch_proof(
    remote: Remote,
    exchange_id: Annotated[str, typer.Argument(metavar="EXCHANGE_ID", help="ex_….")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
) -> None:
    """ขอหลักฐานของรายการแลกเปลี่ยน / Gets the proof document of an exchange that is one's own to see, into a file."""
    document = remote.gateway.proof(exchange_id)
    out.write_text(json_text(document) + "\n", encoding="utf-8")
    body = {"exchange_id": exchange_id, "file": str(out)}
    remote.screen.show(body, lambda: remote.screen.say(f"บันทึกหลักฐานไว้ที่ {out}", f"the proof is in {out}"))


@proof.command("verify")
@local
def verify_proof(
    screen: Screen,
    file: Annotated[Path, typer.Argument(help="A proof document (`proof fetch`) or evidence (`log export`).")],
    vkey: Vkey = None,
    witness: WitnessKeys = None,
    witnesses: Wanted = 0,
) -> None:
    """ตรวจหลักฐานโดยไม่ต้องเชื่อมต่อ / Checks a proof document offline, with only the log's verifier key."""
    from gateway.verification.document import NotADocument, read_document, verify_document
    from gateway.verification.evidence import is_evidence, verify_evidence

    if vkey is None:
        raise WrongUse(
            "ระบุกุญแจตรวจสอบของบันทึกด้วย --vkey ซึ่งได้มาจากที่อื่นที่ไม่ใช่ไฟล์หลักฐานนี้",
            "give the log's verifier key with --vkey; the one inside the file proves nothing",
        )
    keys, data = (_one(vkey), _several(witness)), file.read_bytes()
    enough = _enough(witness, witnesses)
    try:
        if is_evidence(data):
            exchange, report = verify_evidence(data, *keys, wanted=enough)
        else:
            document = read_document(data)
            exchange, report = str(document["exchange_id"]), verify_document(document, *keys, wanted=enough)
    except NotADocument:
        raise Refused("ไฟล์นี้ไม่ใช่หลักฐานในรูปแบบที่กำหนด", "this file is no proof document and no evidence") from None
    _tell(screen, report, {"exchange_id": exchange[:64]})


@local
def verify_report(
    screen: Screen,
    file: Annotated[Path, typer.Argument(help="A report about a person, as `linkage report subject --json` gives it.")],
    vkey: Vkey = None,
    witness: WitnessKeys = None,
    witnesses: Wanted = 0,
) -> None:
    """ตรวจว่ารายงานของบุคคลครบถ้วน / Checks offline that a report about a person leaves nothing out."""
    from gateway.verification.document import NotADocument
    from gateway.verification.subject import Unproved, read_report
    from gateway.verification.subject import verify_report as verify

    if vkey is None:
        raise WrongUse("ระบุกุญแจตรวจสอบของบันทึกด้วย --vkey", "give the log's verifier key with --vkey")
    try:
        document = read_report(file.read_bytes())
    except NotADocument:
        raise Refused(
            "ไฟล์นี้ไม่ใช่รายงานของบุคคลที่พิสูจน์ความครบถ้วนได้",
            "this file is not a report about a person that shows that it is complete",
        ) from None
    except Unproved as unproved:
        raise _nothing_proved(unproved.why, unproved.accesses) from None
    report = verify(document, _one(vkey), _several(witness), wanted=_enough(witness, witnesses))
    _tell(screen, report, {"subject": document["subject"]})


def _nothing_proved(why: str, accesses: int) -> Refused:
    """What such a report leaves open, and what can be proved all the same."""
    details = (
        _WITHOUT_PROOF[why],
        (
            f"ไม่ได้พิสูจน์: ว่ารายงานมีครบทุกครั้ง และว่า {accesses} รายการที่ระบุเกิดขึ้นจริงตามนั้น ทั้งหมดเป็นคำของผู้จัดทำเท่านั้น",
            f"not proved: that every access is in it, nor that the {accesses} in it are as it says; all of it is the "
            "word of whoever made it",
        ),
        (
            "พิสูจน์ได้ทีละรายการ: ขอหลักฐานด้วย `linkage proof fetch` แล้วตรวจด้วย `linkage proof verify`",
            "can be proved: each exchange in it, by `linkage proof fetch` and then `linkage proof verify`",
        ),
        (
            "รายงานที่พิสูจน์ความครบถ้วนได้ จัดทำโดยผู้ตรวจสอบหรือเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลของเกตเวย์",
            "a report that shows that it is complete is made by the gateway's auditor or DPO",
        ),
    )
    return Refused(
        "ยืนยันความครบถ้วนไม่ได้ และไฟล์นี้ไม่มีหลักฐานใดให้ตรวจ",
        "nothing shows that this report is complete, and nothing in the file proves any of it",
        [f"{th} / {en}" for th, en in details],
    )


@local
def verify_log(
    screen: Screen,
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="A gateway's URL: check its public tiles only.")
    ] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="Where database and keys lie. (LINKAGE_STATE_DIR)", show_default="state")
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(help="Where the newest checkpoint that was found good is kept, and compared with next time."),
    ] = None,
    vkey: Vkey = None,
    witness: WitnessKeys = None,
    witnesses: Wanted = 0,
    tree_only: Annotated[
        bool, typer.Option("--tree-only", help="From the database: leave the entries' contents closed.")
    ] = False,
) -> None:
    """ตรวจสอบบันทึกทั้งหมด / Checks the whole log: on the machine from its database, or from anywhere by its tiles."""
    if source is not None:
        _verify_remote(screen, source.rstrip("/"), seen, vkey, witness, _enough(witness, witnesses))
    elif witness or witnesses:
        raise WrongUse("--witness ใช้กับ --from", "--witness goes with --from")
    else:
        _verify_database(screen, state_dir, seen, vkey, tree_only)


def _verify_database(
    screen: Screen, state_dir: Path | None, seen_file: Path | None, vkey: str | None, tree_only: bool
) -> None:
    from cryptography.exceptions import InvalidTag

    from gateway.exchangelog.checkpoints import latest_in
    from gateway.exchangelog.vault import UnknownMaster
    from gateway.keys import Keys
    from gateway.store.connection import Connection
    from gateway.verification.database import key_in_use, keys_in, verify_database
    from gateway.verification.keys import followed, signer_of
    from gateway.verification.remote import Seen

    settings = read_settings(state_dir=state_dir)
    if not settings.keys.exists():
        raise WrongUse(
            f"ไม่มีเกตเวย์บนเครื่องนี้ (ไม่มีกุญแจที่ {settings.keys}) ตรวจจากเครื่องอื่นด้วย --from URL",
            f"there is no gateway on this machine (no keys at {settings.keys}): from elsewhere, give --from URL",
        )
    keys = Keys.load(settings.keys)
    before = _seen(seen_file)
    connection = Connection(settings.database, read_only=True)
    try:
        history = keys_in(connection, settings.origin)
        own = key_in_use(connection, settings.origin, keys)
        key = _known(before, _one(vkey) if vkey else None, history) or own
        report = verify_database(
            connection,
            key,
            None if tree_only else keys.master,
            seen=before.checkpoint if before else None,
            archive=settings.log_archive,
        )
        latest = latest_in(connection)
    except (InvalidTag, UnknownMaster):
        raise Refused(
            "master.key ไม่ใช่กุญแจที่ห่อกุญแจรายเดือนของบันทึกนี้",
            "master.key is another than the one that wraps this log's monthly keys",
        ) from None
    finally:
        connection.close()
    if report.good and seen_file is not None and latest is not None:
        Seen(signer_of(latest.note, followed(history, key)), latest.note).write(seen_file)
    _tell(screen, report, {"log": key.name})


def _verify_remote(
    screen: Screen, url: str, seen_file: Path | None, vkey: str | None, witness: list[str] | None, wanted: int
) -> None:
    from gateway.client.steps import trust
    from gateway.verification.remote import NotServed, key_history, verify_tiles

    if not url.startswith(("http://", "https://")):
        raise WrongUse("--from เป็น URL ของเกตเวย์", "--from takes a gateway's URL")
    with httpx.Client(base_url=url, timeout=30, verify=trust(url), trust_env=False, follow_redirects=False) as client:

        def fetch(path: str) -> bytes:
            try:
                response = client.get(f"/log/{path}")
            except httpx.HTTPError as error:
                raise NotServed(f"{path} cannot be had: {type(error).__name__}") from None
            if response.status_code != 200:
                raise NotServed(f"{path} is answered with {response.status_code}")
            return response.content

        first = _seen(seen_file)
        try:
            given = _one(vkey) if vkey else None
            key = _known(first, given, key_history(fetch)) or parse_key(fetch("vkey").decode())
        except NotServed as error:
            raise Refused("ติดต่อบันทึกไม่ได้", str(error)) from None
        except (NoteError, UnicodeDecodeError):
            raise Refused("กุญแจตรวจสอบที่ได้รับใช้ไม่ได้", "the log serves no verifier key") from None
        report, now = verify_tiles(fetch, key, first, _several(witness), wanted=wanted)
    if vkey is None and first is None:
        report.notes.append(f"the key is the log's own word, taken this first time: ask elsewhere whether it is {key}")
    if now is not None and seen_file is not None:
        now.write(seen_file)
    _tell(screen, report, {"log": key.name})


def _known(seen: Any, given: VerifierKey | None, history: object) -> VerifierKey | None:
    """The key to begin with: the one seen before, which must lead to the one given; None where there is neither."""
    from gateway.verification.keys import followed

    if seen is not None and given is not None and given not in followed(history, seen.key):
        raise Refused(
            "กุญแจของบันทึกไม่ใช่กุญแจเดิมที่เคยตรวจ",
            f"the log's key is another than the one seen before, and does not follow from it: {seen.key.name}",
        )
    return seen.key if seen is not None else given


def _seen(file: Path | None) -> Any:
    from gateway.verification.remote import Seen

    if file is None:
        return None
    try:
        found = Seen.read(file)
        if found is not None:
            _ = found.checkpoint
    except NoteError as error:
        raise Refused(f"ไฟล์ {file} ใช้ไม่ได้", f"{file}: {error}") from None
    return found


def _one(text: str) -> VerifierKey:
    keys = _several([text])
    if len(keys) != 1:
        raise WrongUse("ไฟล์ต้องมีกุญแจตรวจสอบหนึ่งดอก", "give one verifier key, or a file with one")
    return keys[0]


def _several(texts: list[str] | None) -> list[VerifierKey]:
    lines: list[str] = []
    for text in texts or []:
        lines += Path(text).read_text(encoding="utf-8").splitlines() if os.path.exists(text) else [text]
    try:
        return [parse_key(line) for line in lines if line.strip()]
    except NoteError as error:
        raise WrongUse(
            "ไม่ใช่กุญแจตรวจสอบ (ชื่อ+รหัส+กุญแจ) และไม่มีไฟล์ชื่อนี้ที่มีกุญแจ",
            f"neither a verifier key nor a file that holds one: {error}",
        ) from None


def _enough(witness: list[str] | None, wanted: int) -> int:
    if wanted > len(_several(witness)):
        raise WrongUse("ระบุกุญแจของพยานให้ครบจำนวน", "--witnesses is more than there are --witness keys")
    return wanted


def _tell(screen: Screen, report: Report, more: dict[str, Any]) -> None:
    body = {**more, **report.as_json()}

    def render() -> None:
        for finding in report.findings:
            screen.line(f"✗ {finding.place}: {finding.what}")
        for note in report.notes:
            screen.line(f"· {note}")
        screen.line(", ".join(f"{name}: {count}" for name, count in report.counts.items()))
        hashing = report.seconds.get("hashing")
        if hashing:
            screen.line(f"hashing: {report.counts.get('entries', 0) / hashing:,.0f} entries/s")
        opening = report.seconds.get("opening")
        if opening:
            screen.line(f"opening: {report.counts.get('entries', 0) / opening:,.0f} entries/s")
        if report.good:
            screen.say("ตรวจแล้วถูกต้อง", "everything holds")
        else:
            screen.say("พบสิ่งผิดปกติ", "something does not hold")

    screen.show(body, render)
    if not report.good:
        raise typer.Exit(REFUSED)
