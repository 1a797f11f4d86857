"""`Gateway`: the client that waits. Any number of threads may share one."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self, Unpack

import httpx

from gateway.client.answer import Answer, ExportFields, QuestionFields, SearchFields
from gateway.client.session import STREAM, ConsentAddition, ConsentChange, Flow, Json, Renew, Session, T
from gateway.client.steps import Done, Lines, Options, resume, trust, unreachable


class Gateway:
    """One client's (or operator's) way to one gateway. `key`: a private JWK, or the file that holds it.

    Raises KeyFileError where the key file cannot be used, ValueError where the URL cannot. `ca_file`: the PEM
    certificates to trust instead of the public ones. The other options: `gateway.client.steps.Options`.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        key: str | Path | Mapping[str, Any],
        *,
        ca_file: str | Path | None = None,
        transport: httpx.BaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._session = Session(url, client_id, key, **options)
        self._http = httpx.Client(
            verify=trust(url, ca_file), trust_env=False, follow_redirects=False, transport=transport
        )
        self._renewing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the connections."""
        self._http.close()

    def exchange(self, **question: Unpack[QuestionFields]) -> Answer:
        """Asks one question. POST /v1/exchanges; every call is an exchange of its own."""
        return self._run(self._session.exchange(question))

    def status(self, exchange_id: str) -> Json:
        """What became of one's own exchange. GET /v1/exchanges/{id}"""
        return self._run(self._session.status(exchange_id))

    def services(self) -> list[Json]:
        """The services on offer. GET /v1/services"""
        return self._run(self._session.services())

    def service(self, service: str) -> Json:
        """One service's description. GET /v1/services/{id}"""
        return self._run(self._session.service(service))

    def schema(self, service: str) -> Json:
        """One service's JSON Schema (2020-12). GET /v1/services/{id}/schema"""
        return self._run(self._session.schema(service))

    def purposes(self) -> list[Json]:
        """The registered purposes. GET /v1/purposes"""
        return self._run(self._session.purposes())

    def agreements(self) -> list[Json]:
        """One's own agreements. GET /v1/agreements"""
        return self._run(self._session.agreements())

    def act(self, name: str, body: Mapping[str, Any]) -> Json:
        """One act of governance, signed with the operator's key. POST /v1/admin/acts"""
        return self._run(self._session.act(name, body))

    def register(self, kind: str) -> list[Json]:
        """A register's records. GET /v1/admin/registers/{kind}"""
        return self._run(self._session.register(kind))

    def sources(self) -> Json:
        """How each source fares, as this gateway saw it: {"gateway", "boot", "sources"}. GET /v1/admin/sources"""
        return self._run(self._session.sources())

    def record(self, kind: str, id: str) -> Json:
        """One record of a register. GET /v1/admin/registers/{kind}/{id}"""
        return self._run(self._session.record(kind, id))

    def search(self, **criteria: Unpack[SearchFields]) -> Json:
        """A page of the exchanges that fit: {"exchanges", "next_cursor"}. POST /v1/audit/exchanges/search"""
        return self._run(self._session.search(criteria))

    def export(self, **criteria: Unpack[ExportFields]) -> Iterator[Json]:
        """Every exchange that fits, one by one as they come. POST /v1/audit/exchanges/export"""
        return self._stream(self._session.export(criteria))

    def asked(self, body: Mapping[str, Any]) -> Iterator[Json]:
        """Every exchange in which a source was asked, as they come. POST /v1/disclosures/asked"""
        return self._stream(self._session.asked(body))

    def known(self, body: Mapping[str, Any]) -> Json:
        """Which of a source's exchanges the log has: {"known"}. POST /v1/disclosures/known"""
        return self._run(self._session.known(body))

    def summary(self, **asked: str) -> Json:
        """A time of the log in numbers, for an auditor. GET /v1/audit/summary"""
        return self._run(self._session.summary(asked))

    def evidence(self, exchange_id: str, reason: str) -> bytes:
        """Evidence of one exchange, one HTML file, for an auditor. POST /v1/audit/exchanges/{id}/evidence"""
        return self._run(self._session.evidence(exchange_id, reason))

    def audited(self, exchange_id: str) -> Json:
        """One exchange with what its entries hold, for an auditor. GET /v1/audit/exchanges/{id}"""
        return self._run(self._session.audited(exchange_id))

    def proof(self, exchange_id: str) -> Json:
        """That an exchange is in the log, to be checked offline. GET /v1/exchanges/{id}/proof"""
        return self._run(self._session.proof(exchange_id))

    def entry(self, index: int) -> Json:
        """One entry with its contents and its proof, for an auditor. GET /v1/audit/entries/{index}"""
        return self._run(self._session.entry(index))

    def entries(self, after: int | None = None, limit: int | None = None) -> Json:
        """The log's entries from the index `after` on: {"entries", "next"}. GET /v1/audit/entries"""
        return self._run(self._session.entries(after, limit))

    def explain(self, question: Mapping[str, Any]) -> Json:
        """What would be decided on a question now, nothing asked or recorded. POST /v1/exchanges/explain

        `question` as the contract has it; an operator names the `client`, and the identifier may be left out.
        """
        return self._run(self._session.explain(question))

    def facts(self, since: str, until: str | None = None, after: int | None = None) -> Json:
        """Recorded decisions with their facts: {"recorded", "next"}. POST /v1/audit/facts"""
        return self._run(self._session.facts(since, until, after))

    def report(self, name: str, body: Mapping[str, Any], scope: str = "") -> Json:
        """`subject`, `breach`, `ropa` or `proposals`, of the log and the registers. POST /v1/reports/{name}"""
        return self._run(self._session.report(name, body, scope))

    def pseudonym(self, person: Mapping[str, Any]) -> str:
        """How the log knows a person: {"citizen_id" or "juristic_id", "reason"}. POST /v1/audit/subject"""
        return self._run(self._session.pseudonym(person))

    def disclosures(self, body: Mapping[str, Any]) -> Json:
        """A source's own register of disclosures: {"disclosures", "next_cursor"}. POST /v1/disclosures/search"""
        return self._run(self._session.disclosures(body))

    def notices(self) -> list[Json]:
        """What waits for the operator, what is due first on top. GET /v1/notices"""
        return self._run(self._session.notices())

    def acts_of(self, kind: str, id: str) -> list[Json]:
        """The signed acts on a record, oldest first. GET /v1/admin/registers/{kind}/{id}/acts"""
        return self._run(self._session.acts_of(kind, id))

    def give_consent(self, form: Mapping[str, Any]) -> Json:
        """A citizen's consent, collected: the answer holds the withdrawal code, once. POST /v1/consents"""
        return self._run(self._session.give_consent(form))

    def consent(self, consent_id: str) -> Json:
        """One consent. GET /v1/consents/{id}"""
        return self._run(self._session.consent(consent_id))

    def consents(self, citizen_id: str, reason: str) -> list[Json]:
        """A citizen's consents that concern the caller; the look is recorded. POST /v1/consents/search"""
        return self._run(self._session.consents(citizen_id, reason))

    def change_consent(self, consent_id: str, change: ConsentChange, reason: str | None = None) -> Json:
        """Withdraws, pauses or resumes a consent for the citizen. POST /v1/consents/{id}/{change}"""
        return self._run(self._session.change_consent(consent_id, change, reason))

    def add_to_consent(self, consent_id: str, addition: ConsentAddition, form: Mapping[str, Any]) -> Json:
        """`guardian`: one consents too; `confirm`: age and capacity as they are now (PDPA s.20)."""
        return self._run(self._session.add_to_consent(consent_id, addition, form))

    def consent_by_code(self, code: str) -> Json:
        """The consent of a printed receipt's code. POST /v1/consents/by-code/view"""
        return self._run(self._session.by_code("view", code))

    def withdraw_by_code(self, code: str) -> Json:
        """Withdraws the consent of a printed receipt's code. POST /v1/consents/by-code/withdraw"""
        return self._run(self._session.by_code("withdraw", code))

    def _stream(self, flow: Flow[httpx.Response]) -> Iterator[Json]:
        response = self._run(flow)
        lines = Lines()
        try:
            for chunk in response.iter_bytes():
                yield from lines.take(chunk)
            lines.end()
        except httpx.RequestError as error:
            raise unreachable(error) from None
        finally:
            response.close()

    def _run(self, flow: Flow[T]) -> T:
        step = resume(flow, None)
        while not isinstance(step, Done):
            response = None
            if isinstance(step, Renew):
                with self._renewing:
                    self._run(self._session.renew(step))
            else:
                try:
                    response = self._http.send(step, stream=step.extensions.get(STREAM, False))
                    if not response.is_success:
                        response.read()
                except httpx.RequestError as error:
                    raise unreachable(error) from None
            step = resume(flow, response)
        return step.result
