"""Consents: a citizen's yes to one consumer, service, purpose and set of fields, withdrawable at any moment."""

from gateway.consents.book import ConsentBook, Held
from gateway.consents.forms import CitizenId, Evidence, GiveConsent
from gateway.consents.page import printable
from gateway.consents.receipt import signed_receipt
from gateway.consents.record import (
    allowed_from,
    draw_code,
    for_citizen,
    for_log,
    for_office,
    new_record,
    notice_digest,
    standing_facts,
    with_event,
)

__all__ = [
    "CitizenId",
    "ConsentBook",
    "Evidence",
    "GiveConsent",
    "Held",
    "allowed_from",
    "draw_code",
    "for_citizen",
    "for_log",
    "for_office",
    "new_record",
    "notice_digest",
    "printable",
    "signed_receipt",
    "standing_facts",
    "with_event",
]
