"""The registers: agencies, groups, clients, officers, operators, purposes, connectors, agreements."""

from gateway.registers.acting import Act, Book
from gateway.registers.acts import perform
from gateway.registers.candidates import candidates
from gateway.registers.forms import FORMS
from gateway.registers.snapshot import KINDS, Record, Registers, outages_of, read_rows, record_digest
from gateway.values import Form

__all__ = [
    "FORMS",
    "KINDS",
    "Act",
    "Book",
    "Form",
    "Record",
    "Registers",
    "candidates",
    "outages_of",
    "perform",
    "read_rows",
    "record_digest",
]
