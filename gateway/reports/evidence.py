"""Evidence of one exchange: a page that a person reads, with all that an expert needs to check it, in one file.

    the page         HTML in Thai; in it, as JSON, what it was made of (`id="linkage-evidence"`)
    the export       behind it (`id="linkage-export"`): the log's entry that this page was taken out, with its proof

The export's entry holds SHA-256 of every byte before it. So the log itself vouches for the page, and whoever has the
log's verifier key needs nothing else, and nobody, to check all of it years later (`docs/verify.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from joserfc.util import urlsafe_b64decode

FORMAT = "linkage-evidence/v1"
EVIDENCE = b'<script type="application/json" id="linkage-evidence">'
EXPORT = b'\n<script type="application/json" id="linkage-export">'
CLOSE = b"</script>"
END = CLOSE + b"\n</body></html>\n"
Json = dict[str, Any]


def page_bytes(html: str, evidence: Mapping[str, Any]) -> bytes:
    """The file up to the export. `html`: a page without its end."""
    return html.encode() + EVIDENCE + _inert(evidence) + CLOSE


def digest_of(page: bytes) -> str:
    """What the log holds of a page."""
    return hashlib.sha256(page).hexdigest()


def sealed(page: bytes, export: Mapping[str, Any]) -> bytes:
    """The whole file."""
    return page + EXPORT + _inert(export) + END


def _inert(value: Mapping[str, Any]) -> bytes:
    """JSON that no browser reads as a tag."""
    return orjson.dumps(value).replace(b"<", b"\\u003c")


def body_of(act: Mapping[str, Any]) -> Json:
    """The body of an act's entry (opened, or as a proof shows it) as its operator signed it. ValueError."""
    payload = orjson.loads(urlsafe_b64decode(act["content"]["signed"].split(".")[1].encode()))
    body = payload.get("body", payload)
    if not isinstance(body, dict):
        raise ValueError("the act has no body")
    return body


def agreement_acts(acts: Iterable[Mapping[str, Any]], agreement: str | None) -> Json | None:
    """Which act proposed the agreement's version in force at the end of `acts`, and which approved it.

    `acts`: opened entries, in the log's order. None where there is no such agreement.
    """
    proposed = found = None
    for act in acts:
        legal = act["legal"]
        if (legal["register"], legal["id"]) != ("agreement", agreement):
            continue
        if legal["act"] == "agreement.propose":
            proposed = act["index"]
        elif legal["act"] == "agreement.approve":
            found = {"proposed": proposed, "approved": act["index"]}
    return found


def policy_acts(acts: Iterable[Mapping[str, Any]], digest: str) -> Json | None:
    """Which act holds the policy set of `digest`, and which put it in force: one and the same for the first set."""
    proposed = found = None
    for act in acts:
        legal = act["legal"]
        if legal["act"] == "found" and legal.get("policy_digest") == digest:
            found = {"proposed": act["index"], "approved": act["index"]}
        elif legal["act"] == "policies.propose" and legal.get("new_digest") == digest:
            proposed = act["index"]
        elif legal["act"] == "policies.approve" and legal.get("new_digest") == digest and proposed is not None:
            found = {"proposed": proposed, "approved": act["index"]}
    return found


def policy_document(act: Mapping[str, Any]) -> Json:
    """The policy set in the act that `policy_acts` named as `proposed`. KeyError, ValueError."""
    founding = act["legal"]["act"] == "found"
    document = act["content"]["policies"] if founding else body_of(act)["document"]
    if not isinstance(document, dict):
        raise ValueError("no policy set")
    return document


def policy_digest(document: Mapping[str, Any]) -> str:
    """A policy set's digest: SHA-256 over its canonical JSON."""
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
