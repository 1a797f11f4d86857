"""Consents: a citizen's yes to one consumer, service, purpose and set of fields, withdrawable at any moment."""

from gateway.consents.book import ConsentBook, Held
from gateway.consents.forms import AddGuardian, CitizenId, ConfirmConsent, Evidence, GiveConsent, Guardian, Standing
from gateway.consents.page import printable
from gateway.consents.receipt import signed_receipt
from gateway.consents.record import (
    Record,
    allowed_from,
    confirmed,
    draw_code,
    event_for_log,
    for_citizen,
    for_log,
    for_office,
    new_record,
    notice_digest,
    standing_facts,
    standing_of,
    with_event,
    with_guardian,
)

__all__ = [
    "AddGuardian",
    "CitizenId",
    "ConfirmConsent",
    "ConsentBook",
    "Evidence",
    "GiveConsent",
    "Guardian",
    "Held",
    "Record",
    "Standing",
    "allowed_from",
    "confirmed",
    "draw_code",
    "event_for_log",
    "for_citizen",
    "for_log",
    "for_office",
    "new_record",
    "notice_digest",
    "printable",
    "signed_receipt",
    "standing_facts",
    "standing_of",
    "with_event",
    "with_guardian",
]
