"""Acts about agencies, groups, purposes, clients, officers and operators."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict, NotFound
from gateway.registers import forms
from gateway.registers.acting import (
    Act,
    Book,
    as_form,
    changed_record,
    existing,
    new_record,
    refuse,
    require_admin,
    require_fresh,
    require_owner,
    stands_for,
    switched,
    target,
)
from gateway.registers.snapshot import Record

# -- agencies, groups, purposes -------------------------------------------------------------------------------


def add_agency(act: Act, book: Book) -> Record:
    form = as_form(act, forms.AddAgency)
    require_admin(act)
    require_fresh(book, "agency", form.id)
    return new_record(act, "agency", form.id)


def switch_agency(act: Act, book: Book) -> Record:
    form = as_form(act, forms.Named)
    require_owner(act, form.id, or_admin=True)
    return switched(act, existing(book, "agency", form.id), target(act))


def add_group(act: Act, book: Book) -> Record:
    form = as_form(act, forms.AddGroup)
    require_admin(act)
    require_fresh(book, "group", form.id)
    for member in form.members:
        existing(book, "agency", member)
    return new_record(act, "group", form.id)


def membership(act: Act, book: Book) -> Record:
    form = as_form(act, forms.Membership)
    require_admin(act)
    record = existing(book, "group", form.id)
    existing(book, "agency", form.agency)
    joins, member = act.name == "group.join", form.agency in record["members"]
    if joins == member:
        raise Conflict("the membership is already so", "สมาชิกภาพเป็นเช่นนั้นอยู่แล้ว")
    members = [*record["members"], form.agency] if joins else [m for m in record["members"] if m != form.agency]
    return changed_record(act, record, members=members)


def add_purpose(act: Act, book: Book) -> Record:
    form = as_form(act, forms.AddPurpose)
    require_admin(act)
    require_fresh(book, "purpose", form.code)
    return new_record(act, "purpose", form.code)


def switch_purpose(act: Act, book: Book) -> Record:
    form = as_form(act, forms.NamedPurpose)
    require_admin(act)
    return switched(act, existing(book, "purpose", form.code), target(act))


# -- clients, officers, operators and their keys --------------------------------------------------------------


def add_client(act: Act, book: Book) -> Record:
    form = as_form(act, forms.AddClient)
    require_admin(act)
    existing(book, "agency", form.agency)
    require_fresh(book, "client", form.id)
    require_fresh(book, "operator", form.id)
    return new_record(act, "client", form.id, keys=[key.as_dict() for key in form.keys], revoked_kids=[])


def switch_client(act: Act, book: Book) -> Record:
    form = as_form(act, forms.Named)
    record = existing(book, "client", form.id)
    require_owner(act, record["agency"], or_admin=True)
    return switched(act, record, target(act))


def bind_tokens(act: Act, book: Book) -> Record:
    form = as_form(act, forms.BindTokens)
    record = existing(book, "client", form.id)
    require_owner(act, record["agency"], or_admin=True)
    if record.get("token_binding") == form.token_binding:
        raise Conflict("its tokens are bound so already", "โทเคนผูกไว้เช่นนั้นอยู่แล้ว")
    return changed_record(act, record, token_binding=form.token_binding, reason=form.reason)


def _key_holder(act: Act) -> str:
    return act.form.id if isinstance(act.form, forms.AddKey) else as_form(act, forms.RevokeKey).id


def client_key(act: Act, book: Book) -> Record:
    record = existing(book, "client", _key_holder(act))
    require_owner(act, record["agency"], or_admin=True)
    return _with_keys(act, record)


def operator_key(act: Act, book: Book) -> Record:
    """Nobody can slip a key under the name of one whose approval counts, or two people could be one: an owner or
    administrator who has lost every key is enrolled anew. For the others an administrator may add one.
    """
    record = existing(book, "operator", _key_holder(act))
    own = act.operator.id == record["id"]
    if isinstance(act.form, forms.AddKey):
        if not own and record["role"] in ("owner", "admin"):
            raise refuse(
                "role_not_allowed",
                "an owner's or administrator's keys are added by themselves alone",
                "กุญแจของเจ้าของข้อมูลหรือผู้ดูแลระบบเพิ่มได้โดยเจ้าตัวเท่านั้น",
                "ask that person, or have a new operator enrolled",
                "ติดต่อเจ้าของกุญแจ หรือแต่งตั้งผู้ปฏิบัติงานคนใหม่",
            )
        if not own:
            require_admin(act)
        _require_own_key(book, record["id"], [act.form.key.as_dict()])
    else:
        if not own:
            require_owner(act, record.get("agency") or "", or_admin=True)
        if len(record["keys"]) == 1:
            _require_another_admin(book, record)
    return _with_keys(act, record)


def _require_own_key(book: Book, operator: str, keys: list[dict[str, Any]]) -> None:
    """One key, one person: what takes two people is not done by one key under two names."""
    given = {key["x"] for key in keys}
    for kind in ("operator", "client"):
        for name, record in book.registers.records[kind].items():
            if (kind, name) != ("operator", operator) and any(key["x"] in given for key in record["keys"]):
                raise Conflict("this key is another's: each operator has keys of their own", "กุญแจนี้เป็นของผู้อื่น")


def _require_another_admin(book: Book, record: Record) -> None:
    """Somebody must be left who can administer."""
    if record["role"] != "admin" or record["status"] != "active":
        return
    for other in book.registers.operators.values():
        if other.role == "admin" and other.status == "active" and other.keys and other.id != record["id"]:
            return
    raise Conflict("this is the last active administrator", "เป็นผู้ดูแลระบบคนสุดท้ายที่ยังใช้งานได้")


def _with_keys(act: Act, record: Record) -> Record:
    held = {key["kid"] for key in record["keys"]}
    if isinstance(act.form, forms.AddKey):
        if act.form.key.kid in held | set(record["revoked_kids"]):
            raise Conflict("there is, or was, a key of this kid already", "มีหรือเคยมีกุญแจรหัสนี้แล้ว")
        if len(held) >= forms.MOST_KEYS:
            raise Conflict("there are as many keys as there may be: revoke one", "มีกุญแจครบจำนวนแล้ว ต้องเพิกถอนก่อน")
        return changed_record(act, record, keys=[*record["keys"], act.form.key.as_dict()])
    kid = as_form(act, forms.RevokeKey).kid
    if kid not in held:
        raise NotFound("there is no key of this kid", "ไม่พบกุญแจรหัสนี้")
    return changed_record(
        act,
        record,
        keys=[key for key in record["keys"] if key["kid"] != kid],
        revoked_kids=[*record["revoked_kids"], kid],
    )


def add_officer(act: Act, book: Book) -> Record:
    form = as_form(act, forms.AddOfficer)
    client = existing(book, "client", form.client)
    require_owner(act, client["agency"], or_admin=True)
    require_fresh(book, "officer", f"{form.client}:{form.code}")
    return new_record(act, "officer", f"{form.client}:{form.code}")


def switch_officer(act: Act, book: Book) -> Record:
    form = as_form(act, forms.NamedOfficer)
    client = existing(book, "client", form.client)
    require_owner(act, client["agency"], or_admin=True)
    return switched(act, existing(book, "officer", f"{form.client}:{form.code}"), target(act))


def add_operator(act: Act, book: Book) -> Record:
    """The first owner of an agency is enrolled by an administrator; from then on owners enrol owners.

    Where none is left who is active, an administrator does it again: not the one who suspended them. Whoever can be the
    second person of an act is unconfirmed at first (`acting.stands_for`). The second administrator is not, as nobody is
    there yet who could confirm: that one person enrolled both is on record (`first_two`).
    """
    form = as_form(act, forms.AddOperator)
    require_fresh(book, "operator", form.id)  # first: who adds the first owner twice is told that it is done
    if form.agency is not None:
        existing(book, "agency", form.agency)
    if form.role == "owner" and _active_owners(book, form.agency or ""):
        require_owner(act, form.agency or "")
    else:
        require_admin(act)
        if form.role == "owner":
            _require_not_who_suspended(act, book, form.agency or "")
    require_fresh(book, "client", form.id)
    keys = [key.as_dict() for key in form.keys]
    _require_own_key(book, form.id, keys)
    standing: dict[str, Any] = {}
    if form.role in ("admin", "owner"):
        others = [one for one in _of_role(book, "admin") if one["id"] != act.operator.id]
        standing = {"first_two": True} if form.role == "admin" and not others else {"unconfirmed": True}
    return new_record(act, "operator", form.id, keys=keys, revoked_kids=[], **standing)


def confirm_operator(act: Act, book: Book) -> Record:
    """Someone else than who enrolled an operator says that it is a person of their own.

    An administrator, or an owner of the operator's agency; for an administrator, any owner too.
    """
    form = as_form(act, forms.Named)
    record = existing(book, "operator", form.id)
    owner = act.operator.role == "owner" and record["agency"] in (None, act.operator.agency)
    if not owner:
        require_admin(act)
    if not record.get("unconfirmed"):
        raise Conflict("the operator is confirmed, or needs no confirmation", "ผู้ปฏิบัติงานได้รับการยืนยันแล้ว")
    if stands_for(book, act.operator.id) == stands_for(book, form.id):
        raise refuse(
            "two_people",
            "who enrolled an operator does not confirm it, nor do those whom the same person enrolled",
            "ผู้ลงทะเบียนหรือผู้ที่ลงทะเบียนโดยบุคคลเดียวกันจะเป็นผู้ยืนยันไม่ได้",
            "ask another administrator or owner",
            "ให้ผู้ดูแลระบบหรือเจ้าของข้อมูลคนอื่นยืนยัน",
        )
    return changed_record(act, record, unconfirmed=False, confirmed_by=act.operator.id, confirmed_at=act.time)


def _of_role(book: Book, role: str) -> list[Record]:
    return [record for record in book.registers.records["operator"].values() if record["role"] == role]


def _able(owner: Record) -> bool:
    return owner["status"] == "active" and bool(owner["keys"])


def _active_owners(book: Book, agency: str) -> list[Record]:
    return [one for one in _of_role(book, "owner") if one["agency"] == agency and _able(one)]


def _require_not_who_suspended(act: Act, book: Book, agency: str) -> None:
    """Nobody takes an agency over alone: by disabling its owners and putting others, or the same, in their place."""
    for owner in _of_role(book, "owner"):
        if owner["agency"] == agency and not _able(owner):
            by = owner.get("changed_by") or ""
            if stands_for(book, act.operator.id) == stands_for(book, by):
                raise refuse(
                    "two_people",
                    "who suspended an agency's owners, or revoked their keys, does not enrol or resume them",
                    "ผู้ระงับเจ้าของข้อมูลจะลงทะเบียนหรือคืนสิทธิ์แทนไม่ได้",
                    "ask another administrator",
                    "ให้ผู้ดูแลระบบอีกคนดำเนินการ",
                )


def switch_operator(act: Act, book: Book) -> Record:
    form = as_form(act, forms.Named)
    record = existing(book, "operator", form.id)
    if record["role"] == "owner":
        left_alone = target(act) == "active" and not _active_owners(book, record["agency"])
        require_owner(act, record["agency"], or_admin=target(act) == "suspended" or left_alone)
        if left_alone:
            _require_not_who_suspended(act, book, record["agency"])
    else:
        require_admin(act)
    if target(act) == "suspended":
        _require_another_admin(book, record)
    return switched(act, record, target(act))
