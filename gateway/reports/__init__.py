"""What the law wants on paper, made of the registers and the log: nothing is typed twice.

Functions of what was read, without I/O. A person is the log's pseudonym throughout.
"""

from gateway.reports.breach import breach
from gateway.reports.disclosures import disclosure
from gateway.reports.notices import notices
from gateway.reports.proposals import proposals
from gateway.reports.ropa import record_of_processing
from gateway.reports.subject import access

__all__ = ["access", "breach", "disclosure", "notices", "proposals", "record_of_processing"]
