"""`linkage proof verify` of a file of evidence: one exchange, what it stood on, and the page that tells of it.

1 the export's entry is in the log, and holds the digest of the page as it is here
2 the exchange's entries: as in a proof document
3 each act is in the log, and signed by a key that its operator had then, back to the first act, which signs its own
4 the agreement is the one that the decision names, proposed and approved before it; the policy set has the digest
  that the decision names
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.reports.evidence import (
    CLOSE,
    END,
    EVIDENCE,
    EXPORT,
    FORMAT,
    agreement_acts,
    digest_of,
    policy_acts,
    policy_digest,
    policy_document,
)
from gateway.tlog.note import VerifierKey
from gateway.verification.acts import BadAct, Operators
from gateway.verification.document import (
    NotADocument,
    check_entry,
    group_of,
    is_entry,
    read_document,
    verify_document,
)
from gateway.verification.findings import Report
from gateway.verification.keys import followed

_GROUPS = ("public", "parties", "legal", "content")


def is_evidence(data: bytes) -> bool:
    """Whether a file is evidence, and not a proof document alone."""
    return data.lstrip()[:9].lower() == b"<!doctype"


def verify_evidence(
    data: bytes, key: VerifierKey, witnesses: Sequence[VerifierKey] = (), *, wanted: int = 0
) -> tuple[str, Report]:
    """(the exchange's id, what was found). `key` must come from elsewhere than the file. Raises NotADocument."""
    page, evidence, export = _parts(data)
    document = read_document(orjson.dumps(evidence["exchange"]))
    report = verify_document(document, key, witnesses, wanted=wanted)
    exchange, keys = str(document["exchange_id"]), followed(document.get("keys"), key)
    _check_export(page, export, exchange, keys, witnesses, wanted, report)
    acts = _check_acts(evidence, keys, witnesses, wanted, report)
    first = document["entries"][0]
    if first["groups"] is not None:
        legal = group_of(first, "legal")
        before = [act for act in acts if act["index"] < first["index"]]
        if len(before) != len(acts):
            report.fault("acts", "an act came after the exchange that it is said to be behind")
        _check_ground(evidence, before, legal, report)
    return exchange, report


def _parts(data: bytes) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """The page, what it was made of, and the export's entry."""
    page, separator, tail = data.rpartition(EXPORT)
    _, opened, inner = page.rpartition(EVIDENCE)
    try:
        evidence = orjson.loads(inner.removesuffix(CLOSE))
        export = orjson.loads(tail.removesuffix(END))
        good = (
            bool(separator and opened)
            and inner.endswith(CLOSE)
            and tail.endswith(END)
            and evidence["format"] == FORMAT
            and isinstance(evidence["acts"], list)
            and isinstance(evidence["forgotten"], list)
            and all(is_entry(act) and act["groups"] is not None for act in evidence["acts"])
            and is_entry(export)
            and export["groups"] is not None
            and all(_is_reference(evidence[name]) for name in ("agreement", "policies"))
            and isinstance(evidence["exchange"], dict)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise NotADocument("not a file of evidence")
    return page, evidence, export


def _is_reference(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and value.keys() == {"proposed", "approved"}
        and all(type(index) is int for index in value.values())
    )


def _check_export(
    page: bytes,
    export: dict[str, Any],
    exchange: str,
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey],
    wanted: int,
    report: Report,
) -> None:
    check_entry(export, keys, witnesses, wanted, report)
    report.count("entries")
    content = group_of(export, "content")
    if group_of(export, "public").get("kind") != "audit.search" or content.get("exchange") != exchange:
        report.fault(f"entry {export['index']}", "it is not the export of this exchange")
    if content.get("evidence") != digest_of(page):
        report.fault("page", "the page is not the one that was exported: something in this file was changed")
    who, when = group_of(export, "parties").get("operator"), group_of(export, "public").get("time")
    report.notes.append(f"taken out by {who} at {when}: {content.get('reason')}")


def _check_acts(
    evidence: dict[str, Any], keys: Sequence[VerifierKey], witnesses: Sequence[VerifierKey], wanted: int, report: Report
) -> list[dict[str, Any]]:
    """The acts, opened, after a look at each: proof, commitments, signature, in the log's order."""
    operators, acts, last = Operators(), list[dict[str, Any]](), -1
    for act in evidence["acts"]:
        place, own = f"entry {act['index']}", Report()
        check_entry(act, keys, witnesses, wanted, own)
        report.findings += own.findings
        report.count("entries")
        if act["index"] <= last:
            report.fault(place, "the acts are not in the log's order")
        last = act["index"]
        groups = {name: group_of(act, name) for name in _GROUPS}
        if groups["public"].get("kind") != "act":
            report.fault(place, "it is not an act")
            continue
        try:
            operators.take(groups["parties"], groups["legal"], groups["content"])
            report.count("signatures")
        except BadAct as bad:
            if not evidence["forgotten"]:
                report.fault(place, str(bad))
                continue
            report.notes.append(f"{place}: {bad}; earlier acts are forgotten, so that this cannot be traced")
        acts.append({"index": act["index"], **groups})
    return acts


def _check_ground(evidence: dict[str, Any], acts: list[dict[str, Any]], legal: dict[str, Any], report: Report) -> None:
    agreement = agreement_acts(acts, legal.get("agreement")) if legal.get("agreement") is not None else None
    if evidence["agreement"] != agreement:
        report.fault("agreement", "it is not the one in force that the decision names")
    if legal.get("agreement") is not None and agreement is None:
        report.fault("agreement", "the acts that made it are not here")
    by_index = {act["index"]: act for act in acts}
    policies = policy_acts(acts, str(legal.get("policy_digest")))
    if policies is None or evidence["policies"] != policies:
        report.fault("policies", "the acts that put the policy set in force are not here")
        return
    try:
        digest = policy_digest(policy_document(by_index[policies["proposed"]]))
    except (KeyError, ValueError, TypeError):
        digest = ""
    if digest != legal.get("policy_digest"):
        report.fault("policies", "the policy set is not the one that the decision names")
