"""The conformance kit: does a connector keep to the contract of `gateway.plugin` when its source does not?

    pytest -p gateway.conformance.command --pyargs gateway.conformance --cases PACKAGE.MODULE:NAME

NAME is a list of `Case`s, or a callable that gives one: a service as registered, its endpoint a source that runs
(a sandbox), and whom that source knows. The kit needs nothing else of a connector, so it runs a stranger's package
as it runs ours: it stands between connector and source and bends what passes. In a test suite of one's own:

    @pytest.mark.parametrize("check", CHECKS)
    async def test_conformance(check): await CHECKS[check](case)

A check that the source's way of speaking leaves no room for (TLS to a file, say) raises `NotApplicable`; a
connector that fails one raises AssertionError, whose text holds no identifier and no value of an answer.

    right_record      the record, valid by the service's schema, about the person asked for
    wrong_person      the source answers about another: told by the echo, or refused
    not_found         CitizenNotFound, and nothing else
    partial_date      a date comes as precise as the source knows it
    late, never       AgencyTimeout at the deadline; an answer late but in time is taken
    cut_off           half an answer is none
    other_charset     TIS-620 said and sent: read, or refused; TIS-620 sent as UTF-8: refused; never mangled
    too_large         an endless answer is given up early
    fault             an error of the source is its fault, not "not found", and its words go no further
    garbage           what is no protocol at all
    redirect          not followed
    certificate       expired, of another host, of an unknown authority: nothing is asked
    address           a forbidden address is not connected to
    introduction      `Linkage-Exchange` goes with each question, as the gateway gave it for this one
    flood             many questions at once: every one its own answer
    cancellation      a cancelled question leaves nothing behind
    close             every connection ends, also under a question
"""

from __future__ import annotations

from gateway.conformance.case import Case, NotApplicable
from gateway.conformance.checks import CHECKS

__all__ = ["CHECKS", "Case", "NotApplicable"]
