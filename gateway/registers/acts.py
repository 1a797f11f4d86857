"""What each act of governance needs and does: who may, in which state, and the record it leaves.

An act is a pure function of the registers, the operator and the act's body; it writes nothing. The
governance path signs, records and commits what comes out, or refuses.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.registers import (
    agreement_acts,
    connector_acts,
    log_acts,
    narrowing,
    opening_acts,
    party_acts,
    policy_acts,
    rights_acts,
)
from gateway.registers.acting import Act, Book
from gateway.registers.snapshot import Record


def perform(act: Act, book: Book) -> Record:
    """The record as the act leaves it. Raises Denied, Conflict, NotFound or MalformedRequest."""
    return ACTS[act.name](act, book)


ACTS: dict[str, Callable[[Act, Book], Record]] = {
    "agency.add": party_acts.add_agency,
    "agency.suspend": party_acts.switch_agency,
    "agency.resume": party_acts.switch_agency,
    "group.add": party_acts.add_group,
    "group.join": party_acts.membership,
    "group.leave": party_acts.membership,
    "client.add": party_acts.add_client,
    "client.binding": party_acts.bind_tokens,
    "client.key.add": party_acts.client_key,
    "client.key.revoke": party_acts.client_key,
    "client.suspend": party_acts.switch_client,
    "client.resume": party_acts.switch_client,
    "officer.add": party_acts.add_officer,
    "officer.suspend": party_acts.switch_officer,
    "officer.resume": party_acts.switch_officer,
    "operator.add": party_acts.add_operator,
    "operator.confirm": party_acts.confirm_operator,
    "operator.key.add": party_acts.operator_key,
    "operator.key.revoke": party_acts.operator_key,
    "operator.suspend": party_acts.switch_operator,
    "operator.resume": party_acts.switch_operator,
    "purpose.add": party_acts.add_purpose,
    "purpose.suspend": party_acts.switch_purpose,
    "purpose.resume": party_acts.switch_purpose,
    "connector.register": connector_acts.register_connector,
    "connector.approve": connector_acts.approve_connector,
    "connector.disable": connector_acts.switch_connector,
    "connector.enable": connector_acts.switch_connector,
    "connector.outage": connector_acts.announce_outage,
    "connector.outage.withdraw": connector_acts.withdraw_outage,
    "agreement.propose": agreement_acts.propose_agreement,
    "agreement.approve": agreement_acts.approve_agreement,
    "agreement.refuse": agreement_acts.refuse_agreement,
    "agreement.narrow": narrowing.narrow_agreement,
    "agreement.suspend": agreement_acts.switch_agreement,
    "agreement.resume": agreement_acts.switch_agreement,
    "agreement.revoke": agreement_acts.revoke_agreement,
    "policies.propose": policy_acts.propose_policies,
    "policies.approve": policy_acts.approve_policies,
    "log.forget.propose": log_acts.propose_forgetting,
    "log.forget.approve": log_acts.approve_forgetting,
    "opening.propose": opening_acts.propose_opening,
    "opening.approve": opening_acts.approve_opening,
    "rights.add": rights_acts.add_request,
    "rights.answer": rights_acts.close_request,
    "rights.reject": rights_acts.close_request,
    "rights.notice.acknowledge": rights_acts.acknowledge_notice,
    "rights.notice.answer": rights_acts.answer_notice,
}
"""Every act of `forms.FORMS`, and what does it; a test holds the two equal."""
