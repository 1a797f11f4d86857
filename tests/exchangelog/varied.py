"""Exchanges of many kinds in a log, and beside them, as plain dictionaries, what a search should find."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from gateway.errors import Reason
from gateway.exchangelog import log as log_module
from gateway.model import Caller, Decision, IdentifierKind, Question, Service, new_id, now, timestamp
from gateway.store import CloseExchange, OpenExchange
from tests.exchangelog.conftest import Book

CONSUMERS, SOURCES, PURPOSES = ("city-a", "city-b", "city-c"), ("dopa", "nhso"), ("welfare.old-age", "land.transfer")
OFFICERS = (None, "a.1", "b.2", "c.3")


def service_of(source: str) -> Service:
    """A service of a source, with nothing more than the log reads of it."""
    name = f"{source}.person.v1"
    return Service(name, source, "", "", IdentifierKind.CITIZEN, 2, "personal", False, 5.0, True, {}, {}, {}, {})


def reason(code: str) -> Reason:
    """A reason of which only the code matters."""
    return Reason(code, code, "", "", "", "", "")


async def write(book: Book, moment: datetime, **chosen: Any) -> dict[str, Any]:
    """One exchange from its decision to its outcome, written as at `moment`; what a search should say of it."""
    exchange, consumer, citizen = new_id("ex"), chosen["consumer"], chosen.get("citizen", "9111111111114")
    outcome, permit = chosen["outcome"], chosen["outcome"] != "refused"
    officer, case = chosen.get("officer"), chosen.get("case_reference")
    caller = Caller(f"{consumer}-system", consumer, "client", "", frozenset({"exchange"}), "kid")
    service = service_of(chosen["source"])
    question = Question(
        service.id, citizen, IdentifierKind.CITIZEN, chosen["purpose"], officer=officer, case_reference=case
    )
    codes = chosen.get("codes", ())
    agreement = f"{consumer}-{chosen['source']}" if permit else None
    decision = Decision(
        permit,
        () if permit else tuple(map(reason, codes)),
        agreement,
        "t1",
        "24(4)",
        "An act",
        None,
        (),
        ("permit",),
        "d" * 64,
    )
    subject = book.log.subject("citizen_id", citizen)
    took = timedelta(milliseconds=chosen.get("took_ms", 12))
    with patch.object(log_module, "now", lambda: moment):
        await book.log.ready(moment)
        entry = book.log.decided(
            exchange, caller, question, service, decision, subject, request_digest="0" * 64, judged_us=1
        )
    opened = [OpenExchange(exchange, book.log.gateway, book.log.boot, 2**40)] if permit else []
    await book.store.append([entry], opened)
    if permit and outcome != "decided":
        fault = f"{codes[0]}:why" if outcome == "failed" and codes else None
        with patch.object(log_module, "now", lambda: moment + took):
            closing = book.log.closed(
                outcome,
                exchange,
                subject=subject,
                fault=fault,
                reasons=tuple(codes) if outcome == "withheld" else (),
                released=("life_status",) if outcome == "released" else (),
            )
        await book.store.append([closing], [CloseExchange(exchange)])
    return {
        "exchange_id": exchange,
        "decided_at": timestamp(moment),
        "consumer": consumer,
        "client": caller.id,
        "officer": officer,
        "source": service.agency,
        "service": service.id,
        "purpose": chosen["purpose"],
        "agreement": agreement,
        "case_reference": case,
        "outcome": outcome,
        "codes": set(codes),
        "subject": subject.pseudonym,
        "took_ms": chosen.get("took_ms", 12),
    }


async def history(book: Book, count: int, *, seed: int = 7, days: int = 3) -> list[dict[str, Any]]:
    """`count` exchanges over some days up to now, oldest first, in every outcome."""
    draw, begun = random.Random(seed), now() - timedelta(days=days)
    codes = {
        "refused": ["quota_exceeded", "no_agreement"],
        "withheld": ["consent_withdrawn"],
        "failed": ["agency_timeout"],
    }
    written = []
    for number in range(count):
        outcome = draw.choice(("released", "released", "released", "refused", "failed", "withheld", "decided"))
        chosen = {
            "consumer": draw.choice(CONSUMERS),
            "source": draw.choice(SOURCES),
            "purpose": draw.choice(PURPOSES),
            "officer": draw.choice(OFFICERS),
            "case_reference": f"C/{draw.randrange(20)}" if draw.random() < 0.5 else None,
            "outcome": outcome,
            "codes": [draw.choice(codes.get(outcome, ["agency_timeout"]))]
            if outcome not in ("released", "decided")
            else [],
            "citizen": f"911111111{draw.randrange(6):04}",
            "took_ms": draw.randrange(2000),
        }
        written.append(await write(book, begun + timedelta(days=days) * number / count, **chosen))
    return written
