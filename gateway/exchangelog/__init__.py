"""The exchange log: what is written of an exchange and of an act of governance, and how it is found again."""

from gateway.exchangelog.entry import GROUPS, BrokenEntry, EntryDraft, OpenedEntry, canonical
from gateway.exchangelog.log import ExchangeLog, Subject
from gateway.exchangelog.projection import OPENERS
from gateway.exchangelog.search import EQUALS, ExchangeSearch, Search

__all__ = [
    "EQUALS",
    "GROUPS",
    "OPENERS",
    "BrokenEntry",
    "EntryDraft",
    "ExchangeLog",
    "ExchangeSearch",
    "OpenedEntry",
    "Search",
    "Subject",
    "canonical",
]
