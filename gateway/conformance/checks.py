"""The checks, by name. Each takes a `Case` and raises AssertionError, or NotApplicable. See the package."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from gateway.conformance.between import Bend, between
from gateway.conformance.case import SECONDS, Case, NotApplicable, same
from gateway.conformance.certificates import authority
from gateway.errors import AgencyMisbehaved, AgencyTimeout, AgencyUnavailable, CitizenNotFound, SourceFault
from gateway.plugin import Connector, Record
from gateway.release import Minimiser

Check = Callable[[Case], Awaitable[None]]

_SOON: Final = 0.4
"""A deadline to be late for, in seconds."""
_WORDS: Final = b"ORA-00942 conformance words of a source "
_FLOOD: Final = 60


async def right_record(case: Case) -> None:
    async with case.opened() as connector:
        record = await connector.fetch(case.ask(case.right))
        data = _minimised(case, record, case.right)
        for name, value in case.expected.items():
            assert data.get(name) == value, f"the field {name} is not as expected"
        other = await connector.fetch(case.ask(case.other))
        _minimised(case, other, case.other)
        assert dict(other.data) != dict(record.data), "two people have the same record: choose others"


async def wrong_person(case: Case) -> None:
    if not case.service.echo:
        raise NotApplicable("the source's answers name nobody")
    bend = Bend(swap=(case.right.encode(), case.other.encode()))
    async with between(case.source, bend, http=case.transport == "http") as server:
        async with case.opened(case.at(server.port)) as connector:
            try:
                record = await connector.fetch(case.ask(case.right))
            except AgencyMisbehaved as error:
                case.discreet(error, connector)
                return
        if not server.swapped:
            raise NotApplicable("the identifier does not go over the wire as its digits")
        assert record.echo == case.other, "the echo does not tell whom the source answered about"
        try:
            _minimised(case, record, case.right)
        except AgencyMisbehaved:
            return
        raise AssertionError("another person's answer passed for the right one")


async def not_found(case: Case) -> None:
    async with case.opened() as connector:
        error = await case.failure(connector, case.unknown)
        assert isinstance(error, CitizenNotFound), f"{type(error).__name__} for a person the source does not know"
        await connector.fetch(case.ask(case.right))


async def partial_date(case: Case) -> None:
    if case.partial is None:
        raise NotApplicable("the source holds no date that is known in part")
    identifier, name, wanted = case.partial
    async with case.opened() as connector:
        record = await connector.fetch(case.ask(identifier))
    assert _minimised(case, record, identifier).get(name) == wanted, f"{name} is not as precise as the source knows it"


async def late(case: Case) -> None:
    bend = Bend(seconds=0.05)
    async with (
        between(case.source, bend, http=case.transport == "http") as server,
        case.opened(case.at(server.port)) as connector,
    ):
        await connector.fetch(case.ask(case.right))
        bend.seconds = 10 * SECONDS
        error = await case.failure(connector, case.right, _SOON)
        assert isinstance(error, AgencyTimeout), f"{type(error).__name__} for an answer that came too late"


async def never(case: Case) -> None:
    async with (
        between(case.source, Bend("never"), http=case.transport == "http") as server,
        case.opened(case.at(server.port)) as connector,
    ):
        error = await case.failure(connector, case.right, _SOON)
    assert isinstance(error, AgencyTimeout), f"{type(error).__name__} for an answer that never came"


async def cut_off(case: Case) -> None:
    await _at_fault(case, Bend("half"))


async def garbage(case: Case) -> None:
    await _at_fault(case, Bend("garbage"))


async def other_charset(case: Case) -> None:
    _http_only(case)
    async with case.opened() as connector:
        right = await connector.fetch(case.ask(case.right))
    for way in ("charset", "mislabelled"):
        async with between(case.source, Bend(way)) as server, case.opened(case.at(server.port)) as connector:
            try:
                record = await connector.fetch(case.ask(case.right))
            except AgencyMisbehaved as error:
                case.discreet(error, connector)
                continue
            assert same(record, right), "an answer in another charset was read as something else"


async def too_large(case: Case) -> None:
    _http_only(case)
    async with between(case.source, Bend("huge")) as server, case.opened(case.at(server.port)) as connector:
        error = await case.failure(connector, case.right)
        assert isinstance(error, AgencyMisbehaved), f"{type(error).__name__} for an endless answer"
        assert server.sent < 32 << 20, "an endless answer was read on and on"


async def fault(case: Case) -> None:
    _http_only(case)
    words = _WORDS + case.right.encode()
    async with (
        between(case.source, Bend("error", words=words)) as server,
        case.opened(case.at(server.port)) as connector,
    ):
        error = await case.failure(connector, case.right)
    assert isinstance(error, SourceFault), f"{type(error).__name__} for a source that has failed"
    assert b"conformance words" not in repr(vars(error)).encode(), "a source's words passed through"


async def redirect(case: Case) -> None:
    _http_only(case)
    async with between(case.source) as trap:
        bend = Bend("redirect", location=f"http://127.0.0.1:{trap.port}/elsewhere")
        async with between(case.source, bend) as server, case.opened(case.at(server.port)) as connector:
            error = await case.failure(connector, case.right)
        assert isinstance(error, AgencyMisbehaved), f"{type(error).__name__} for a redirect"
        assert trap.made == 0, "a redirect was followed"


async def certificate(case: Case) -> None:
    _http_only(case)
    ours, theirs = authority(), authority()
    good = ours.server("127.0.0.1")
    async with between(case.source, tls=good) as server:
        service, secret = case.with_authority(case.at(server.port, tls=True), ours.pem)
        async with case.opened(service, secret=secret) as connector:
            await connector.fetch(case.ask(case.right))
    bad = {
        "expired": ours.server("127.0.0.1", expired=True),
        "of another host": ours.server("127.0.0.2"),
        "of an unknown authority": theirs.server("127.0.0.1"),
    }
    for what, context in bad.items():
        async with between(case.source, tls=context) as server:
            service, secret = case.with_authority(case.at(server.port, tls=True), ours.pem)
            async with case.opened(service, secret=secret) as connector:
                error = await case.failure(connector, case.right)
            assert isinstance(error, SourceFault), f"{type(error).__name__} for a certificate {what}"
            assert server.questions == 0, f"a question went to a server with a certificate {what}"


async def address(case: Case) -> None:
    async with between(case.source, http=case.transport == "http") as server:
        async with case.opened(case.at(server.port), allowed=False) as connector:
            error = await case.failure(connector, case.right)
        assert isinstance(error, AgencyUnavailable), f"{type(error).__name__} for a forbidden address"
        assert server.made == 0, "a forbidden address was connected to"


async def introduction(case: Case) -> None:
    _http_only(case)
    said = "conformance.introduction.check"
    async with between(case.source) as server, case.opened(case.at(server.port)) as connector:
        await connector.fetch(replace(case.ask(case.right), introduce=lambda: said))
        assert set(server.introduced) == {said.encode()}, "a question went out without what the gateway says of it"
        server.introduced.clear()
        await connector.fetch(case.ask(case.right))
        assert set(server.introduced) == {None}, "a question went out with what the gateway said of another"


async def flood(case: Case) -> None:
    async with case.opened() as connector:
        people = [case.right, case.other, case.unknown] * (_FLOOD // 3)
        answers = await asyncio.gather(
            *(connector.fetch(case.ask(each, 3 * SECONDS)) for each in people), return_exceptions=True
        )
        alone = {each: await connector.fetch(case.ask(each)) for each in (case.right, case.other)}
    for person, answer in zip(people, answers, strict=True):
        if person == case.unknown:
            assert isinstance(answer, CitizenNotFound), "a question in a flood had another outcome than alone"
        else:
            assert isinstance(answer, Record), "a question in a flood had another outcome than alone"
            assert same(answer, alone[person]), "a question in a flood had another one's answer"


async def cancellation(case: Case) -> None:
    bend = Bend("never")
    async with between(case.source, bend, http=case.transport == "http") as server:
        async with case.opened(case.at(server.port)) as connector:
            tasks = [asyncio.create_task(connector.fetch(case.ask(case.right))) for _ in range(4)]
            await asyncio.sleep(0.3)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in outcomes), "a cancelled question went on"
            bend.way = "straight"
            await connector.fetch(case.ask(case.right))
        assert await server.idle(3 * SECONDS), "connections of cancelled questions stayed open"


async def close(case: Case) -> None:
    bend = Bend()
    async with between(case.source, bend, http=case.transport == "http") as server:
        async with case.opened(case.at(server.port)) as connector:
            await connector.fetch(case.ask(case.right))
            bend.seconds = 10 * SECONDS
            under_way = asyncio.create_task(connector.fetch(case.ask(case.right, SECONDS)))
            await asyncio.sleep(0.3)
        outcome = await asyncio.gather(under_way, return_exceptions=True)
        assert isinstance(outcome[0], SourceFault), "a question under way at the end was left hanging"
        bend.seconds = 0
        assert await server.idle(), "connections stayed open after close"


CHECKS: Final[Mapping[str, Check]] = {
    each.__name__: each
    for each in (
        right_record, wrong_person, not_found, partial_date, late, never, cut_off, other_charset, too_large, fault,
        garbage, redirect, certificate, address, introduction, flood, cancellation, close,
    )
}  # fmt: skip


async def _at_fault(case: Case, bend: Bend) -> None:
    async with (
        between(case.source, bend, http=case.transport == "http") as server,
        case.opened(case.at(server.port)) as connector,
    ):
        error = await case.failure(connector, case.right)
        assert isinstance(error, SourceFault), f"{type(error).__name__} for a broken answer"
        assert not isinstance(error, AgencyTimeout), "a broken answer was waited out"
        await _well_again(case, connector, bend)


async def _well_again(case: Case, connector: Connector, bend: Bend) -> None:
    bend.way = "straight"
    await connector.fetch(case.ask(case.right))


def _minimised(case: Case, record: Record, identifier: str) -> dict[str, object]:
    return Minimiser().minimise(record, case.service, tuple(case.service.fields), identifier)


def _http_only(case: Case) -> None:
    if case.transport != "http":
        raise NotApplicable("the source does not speak HTTP")
