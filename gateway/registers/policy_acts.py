"""Acts about the rules themselves: a set is proposed by one administrator and approved by another."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.registers import forms
from gateway.registers.acting import Act, Book, as_form, existing, require_admin, require_someone_else
from gateway.registers.snapshot import Record

ACTIVE = "active"
"""The id of the one record of its register: the set in force, and the one that waits."""


def propose_policies(act: Act, book: Book) -> Record:
    """The set is valid already: the governance path has read it (`Book.proposed_digest`)."""
    form = as_form(act, forms.ProposePolicies)
    require_admin(act)
    record = existing(book, "policies", ACTIVE)
    if record["digest"] == book.proposed_digest:
        raise Conflict("this very set is in force already", "ชุดกติกานี้ใช้อยู่แล้ว")
    pending = {
        "document": form.document.as_json(),
        "digest": book.proposed_digest,
        "replaces": record["digest"],
        "proposed_by": act.operator.id,
        "proposed_at": act.time,
    }
    return {**record, "pending": pending}


def approve_policies(act: Act, book: Book) -> Record:
    form = as_form(act, forms.ApprovePolicies)
    require_admin(act)
    record = existing(book, "policies", ACTIVE)
    pending = record.get("pending")
    if pending is None or pending["digest"] != form.digest:
        raise Conflict("no set of this digest waits for approval", "ไม่มีชุดกติกาตามค่าแฮชนี้ที่รออนุมัติ")
    require_someone_else(act, book, pending["proposed_by"], ("ask another administrator", "ให้ผู้ดูแลระบบอีกคนเป็นผู้อนุมัติ"))
    if pending["replaces"] != record["digest"]:
        raise Conflict("another set has come into force since: propose anew", "มีชุดกติกาอื่นมีผลแล้ว ต้องเสนอใหม่")
    return {
        **record,
        "version": record["version"] + 1,
        "document": pending["document"],
        "digest": pending["digest"],
        "replaced": record["digest"],
        "proposed_by": pending["proposed_by"],
        "proposed_at": pending["proposed_at"],
        "approved_by": act.operator.id,
        "approved_at": act.time,
        "pending": None,
    }
