"""`AsyncGateway`: the client for one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self, Unpack

import httpx

from gateway.client.answer import Answer, ExportFields, QuestionFields, SearchFields
from gateway.client.session import STREAM, ConsentAddition, ConsentChange, Flow, Json, Renew, Session, T
from gateway.client.steps import Done, Lines, Options, resume, trust, unreachable

_LIMITS = httpx.Limits(max_connections=256, max_keepalive_connections=128)


class AsyncGateway:
    """`Gateway` for one event loop: the same names, awaited."""

    def __init__(
        self,
        url: str,
        client_id: str,
        key: str | Path | Mapping[str, Any],
        *,
        ca_file: str | Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._session = Session(url, client_id, key, **options)
        self._http = httpx.AsyncClient(
            verify=trust(url, ca_file), trust_env=False, follow_redirects=False, transport=transport, limits=_LIMITS
        )
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._http.aclose()

    async def exchange(self, **question: Unpack[QuestionFields]) -> Answer:
        """As `Gateway.exchange`."""
        return await self._run(self._session.exchange(question))

    async def status(self, exchange_id: str) -> Json:
        """As `Gateway.status`."""
        return await self._run(self._session.status(exchange_id))

    async def services(self) -> list[Json]:
        """As `Gateway.services`."""
        return await self._run(self._session.services())

    async def service(self, service: str) -> Json:
        """As `Gateway.service`."""
        return await self._run(self._session.service(service))

    async def schema(self, service: str) -> Json:
        """As `Gateway.schema`."""
        return await self._run(self._session.schema(service))

    async def purposes(self) -> list[Json]:
        """As `Gateway.purposes`."""
        return await self._run(self._session.purposes())

    async def agreements(self) -> list[Json]:
        """As `Gateway.agreements`."""
        return await self._run(self._session.agreements())

    async def act(self, name: str, body: Mapping[str, Any]) -> Json:
        """As `Gateway.act`."""
        return await self._run(self._session.act(name, body))

    async def register(self, kind: str) -> list[Json]:
        """As `Gateway.register`."""
        return await self._run(self._session.register(kind))

    async def sources(self) -> Json:
        """As `Gateway.sources`."""
        return await self._run(self._session.sources())

    async def record(self, kind: str, id: str) -> Json:
        """As `Gateway.record`."""
        return await self._run(self._session.record(kind, id))

    async def search(self, **criteria: Unpack[SearchFields]) -> Json:
        """As `Gateway.search`."""
        return await self._run(self._session.search(criteria))

    def export(self, **criteria: Unpack[ExportFields]) -> AsyncIterator[Json]:
        """As `Gateway.export`."""
        return self._stream(self._session.export(criteria))

    def asked(self, body: Mapping[str, Any]) -> AsyncIterator[Json]:
        """As `Gateway.asked`."""
        return self._stream(self._session.asked(body))

    async def known(self, body: Mapping[str, Any]) -> Json:
        """As `Gateway.known`."""
        return await self._run(self._session.known(body))

    async def summary(self, **asked: str) -> Json:
        """As `Gateway.summary`."""
        return await self._run(self._session.summary(asked))

    async def evidence(self, exchange_id: str, reason: str) -> bytes:
        """As `Gateway.evidence`."""
        return await self._run(self._session.evidence(exchange_id, reason))

    async def audited(self, exchange_id: str) -> Json:
        """As `Gateway.audited`."""
        return await self._run(self._session.audited(exchange_id))

    async def proof(self, exchange_id: str) -> Json:
        """As `Gateway.proof`."""
        return await self._run(self._session.proof(exchange_id))

    async def entry(self, index: int) -> Json:
        """As `Gateway.entry`."""
        return await self._run(self._session.entry(index))

    async def entries(self, after: int | None = None, limit: int | None = None) -> Json:
        """As `Gateway.entries`."""
        return await self._run(self._session.entries(after, limit))

    async def explain(self, question: Mapping[str, Any]) -> Json:
        """As `Gateway.explain`."""
        return await self._run(self._session.explain(question))

    async def facts(self, since: str, until: str | None = None, after: int | None = None) -> Json:
        """As `Gateway.facts`."""
        return await self._run(self._session.facts(since, until, after))

    async def report(self, name: str, body: Mapping[str, Any], scope: str = "") -> Json:
        """As `Gateway.report`."""
        return await self._run(self._session.report(name, body, scope))

    async def pseudonym(self, person: Mapping[str, Any]) -> str:
        """As `Gateway.pseudonym`."""
        return await self._run(self._session.pseudonym(person))

    async def disclosures(self, body: Mapping[str, Any]) -> Json:
        """As `Gateway.disclosures`."""
        return await self._run(self._session.disclosures(body))

    async def notices(self) -> list[Json]:
        """As `Gateway.notices`."""
        return await self._run(self._session.notices())

    async def acts_of(self, kind: str, id: str) -> list[Json]:
        """As `Gateway.acts_of`."""
        return await self._run(self._session.acts_of(kind, id))

    async def give_consent(self, form: Mapping[str, Any]) -> Json:
        """As `Gateway.give_consent`."""
        return await self._run(self._session.give_consent(form))

    async def consent(self, consent_id: str) -> Json:
        """As `Gateway.consent`."""
        return await self._run(self._session.consent(consent_id))

    async def consents(self, citizen_id: str, reason: str) -> list[Json]:
        """As `Gateway.consents`."""
        return await self._run(self._session.consents(citizen_id, reason))

    async def change_consent(self, consent_id: str, change: ConsentChange, reason: str | None = None) -> Json:
        """As `Gateway.change_consent`."""
        return await self._run(self._session.change_consent(consent_id, change, reason))

    async def add_to_consent(self, consent_id: str, addition: ConsentAddition, form: Mapping[str, Any]) -> Json:
        """As `Gateway.add_to_consent`."""
        return await self._run(self._session.add_to_consent(consent_id, addition, form))

    async def consent_by_code(self, code: str) -> Json:
        """As `Gateway.consent_by_code`."""
        return await self._run(self._session.by_code("view", code))

    async def withdraw_by_code(self, code: str) -> Json:
        """As `Gateway.withdraw_by_code`."""
        return await self._run(self._session.by_code("withdraw", code))

    async def _stream(self, flow: Flow[httpx.Response]) -> AsyncIterator[Json]:
        response = await self._run(flow)
        lines = Lines()
        try:
            async for chunk in response.aiter_bytes():
                for one in lines.take(chunk):
                    yield one
            lines.end()
        except httpx.RequestError as error:
            raise unreachable(error) from None
        finally:
            await response.aclose()

    async def _run(self, flow: Flow[T]) -> T:
        step = resume(flow, None)
        while not isinstance(step, Done):
            response = None
            if isinstance(step, Renew):
                async with self._renewing:
                    await self._run(self._session.renew(step))
            else:
                try:
                    response = await self._http.send(step, stream=step.extensions.get(STREAM, False))
                    if not response.is_success:
                        await response.aread()
                except httpx.RequestError as error:
                    raise unreachable(error) from None
            step = resume(flow, response)
        return step.result
