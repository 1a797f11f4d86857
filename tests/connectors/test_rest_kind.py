"""The kind `rest` against real sandbox processes: every way in which a source can answer."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import replace
from typing import Any

import pytest
from local_sources import Process, always, ask, http_answer, opened, read_request, services_at, serving

from connectors.population import population, sentinels, story
from gateway.catalogue import check_kind
from gateway.errors import GatewayError
from gateway.model.service import Service
from gateway.plugin import (
    AgencyMisbehaved,
    AgencyTimeout,
    AgencyUnavailable,
    CitizenNotFound,
    OutsideServiceHours,
)

ELDER = story("elder")
LEAST = b'{"personalID":9111111111114,"firstName":"a","lastName":"b","statusOfPersonCode":0}'
"""The least that makes a record of ELDER."""


def person_at(port: int, **settings: Any) -> Service:
    """dopa.person.v1 at a server of the test's own, its settings changed."""
    service = services_at("dopa", f"http://127.0.0.1:{port}")["dopa.person.v1"]
    return replace(service, connector={**service.connector, "settings": {**service.connector["settings"], **settings}})


async def failing(service: Service, *, identifier: str = ELDER, seconds: float = 5.0, **more: Any) -> GatewayError:
    """What asking raises. Nothing of the person shows in it, nor in what hangs on it."""
    async with opened(service, **more) as connector:
        with pytest.raises(GatewayError) as caught:
            await connector.fetch(ask(service, identifier, seconds=seconds))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(connector)
    context: BaseException | None = caught.value
    while context is not None:
        shown += str(context)
        context = context.__context__
    assert identifier not in shown
    if identifier in population():
        assert not any(value in shown for value in sentinels(population()[identifier]))
    return caught.value


async def test_the_record_of_everyone(dopa: Process, nhso: Process) -> None:
    people = [*list(population().values())[::9], population()[story("before_2484")]]
    house, cover = dopa.service("dopa.house.v1"), nhso.service("nhso.coverage.v1")
    person = dopa.service("dopa.person.v1")
    async with opened(person) as persons, opened(house) as houses, opened(cover) as covers:
        for one in people:
            record = await persons.fetch(ask(person, one.citizen_id))
            assert record.echo == one.citizen_id
            assert record.data["date_of_birth"] == str(one.born)
            assert record.data["english_middle_name"] == one.english_middle_name
            assert record.data["life_status"]["code"] == ("dead" if one.dead else "alive")
            assert record.data["nationality"]["code"] == one.nation[0]
            assert record.data["mother_citizen_id"] == (one.mother or None)
            home = await houses.fetch(ask(house, one.citizen_id))
            assert home.echo is None
            assert home.data["house_id"] == one.house.id
            assert home.data["local_authority"] == {"code": one.house.place[0], "label": one.house.place[1]}
            if one.cover is not None:
                cared = await covers.fetch(ask(cover, one.citizen_id))
                assert cared.echo == one.citizen_id
                assert cared.data["card_id"] == one.cover.card
                assert cared.data["start_date"] == str(one.cover.start)


async def test_only_the_granted_fields(dopa: Process) -> None:
    service = dopa.service("dopa.person.v1")
    async with opened(service) as connector:
        record = await connector.fetch(ask(service, ELDER, fields={"life_status", "date_of_birth"}))
    assert list(record.data) == ["date_of_birth", "life_status"]
    assert record.data["date_of_birth"] == "1957-03"


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("never", AgencyTimeout, "late"),
        ("half", AgencyMisbehaved, "cut_off"),
        ("not_json", AgencyMisbehaved, "not_json"),
        ("error_500", AgencyMisbehaved, "status"),
        ("unavailable", AgencyUnavailable, "unavailable"),
        ("huge", AgencyMisbehaved, "too_large"),
        ("redirect", AgencyMisbehaved, "redirect"),
        ("unmappable", AgencyMisbehaved, "unmapped"),
        ("no_echo", AgencyMisbehaved, "no_echo"),
        ("wrong_charset", AgencyMisbehaved, "charset"),
        ("duplicate_key", AgencyMisbehaved, "duplicate_key"),
        ("nan", AgencyMisbehaved, "not_json"),
        ("bomb", AgencyMisbehaved, "too_large"),
    ],
)
@pytest.mark.parametrize("name", ["dopa.person.v1", "nhso.coverage.v1"])
async def test_faults(fault: str, kind: type[GatewayError], code: str, name: str, dopa: Process, nhso: Process) -> None:
    process = dopa if name.startswith("dopa") else nhso
    service = process.service(name)
    process.fault(fault)
    try:
        error = await failing(service, seconds=0.4 if fault == "never" else 5.0)
    finally:
        process.fault("none")
    assert type(error) is kind
    assert error.fault == code  # type: ignore[attr-defined]
    assert error.retry_after == (7 if fault == "unavailable" else None)


async def test_late_but_in_time_and_too_late(dopa: Process) -> None:
    service = dopa.service("dopa.person.v1")
    async with opened(service) as connector:
        dopa.fault("late", seconds=0.2, times=1)
        assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
        dopa.fault("late", seconds=30, times=1)
        with pytest.raises(AgencyTimeout):
            await connector.fetch(ask(service, ELDER, seconds=0.2))
        assert (await connector.fetch(ask(service, ELDER))).echo == ELDER


async def test_another_persons_answer_is_told_by_its_echo(dopa: Process, nhso: Process) -> None:
    for process, name in ((dopa, "dopa.person.v1"), (nhso, "nhso.coverage.v1")):
        service = process.service(name)
        process.fault("wrong_person", times=1)
        async with opened(service) as connector:
            record = await connector.fetch(ask(service, ELDER))
        assert record.echo != ELDER
        assert record.echo in population()


async def test_thai_charset_and_compression(dopa: Process) -> None:
    service = dopa.service("dopa.person.v1")
    async with opened(service) as connector:
        right = await connector.fetch(ask(service, ELDER))
        for fault in ("tis620", "gzip"):
            dopa.fault(fault, times=1)
            assert await connector.fetch(ask(service, ELDER)) == right


async def test_unknown_people(dopa: Process, nhso: Process) -> None:
    for process, name in ((dopa, "dopa.person.v1"), (dopa, "dopa.house.v1"), (nhso, "nhso.coverage.v1")):
        assert type(await failing(process.service(name), identifier=story("unknown"))) is CitizenNotFound


async def test_wrong_and_missing_keys(dopa: Process) -> None:
    service = dopa.service("dopa.person.v1")
    error = await failing(service, secret=lambda reference: "not-the-key")
    assert (type(error), getattr(error, "fault", "")) == (AgencyMisbehaved, "credentials")
    asked: list[str] = []

    def missing(reference: str) -> str:
        asked.append(reference)
        raise LookupError(reference)

    error = await failing(service, secret=missing)
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "secret_missing")
    assert asked == ["env:SOURCE_DOPA__API_KEY"]
    error = await failing(service, secret=lambda reference: "two\r\nX-Lines: here")
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "secret_unusable")


async def test_nobody_listens() -> None:
    async with serving(always(b"")) as port:
        pass
    error = await failing(person_at(port))
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "refused")


async def test_no_such_name() -> None:
    service = services_at("dopa", "https://no-such-host.invalid")["dopa.person.v1"]
    error = await failing(service)
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "dns")


async def test_cancelled_in_the_middle_and_well_afterwards(dopa: Process) -> None:
    service = dopa.service("dopa.person.v1")
    async with opened(service) as connector:
        dopa.fault("never", times=20)
        tasks = [asyncio.create_task(connector.fetch(ask(service, ELDER, seconds=60))) for _ in range(20)]
        await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        dopa.fault("none")
        assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
        session = connector._source.session  # type: ignore[attr-defined]
        assert not session.connector._acquired, "a cancelled question must give its connection back"


async def test_connections_are_kept(dopa: Process) -> None:
    made = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        await always(
            http_answer(b'{"personalID":9111111111114,"firstName":"a","lastName":"b","statusOfPersonCode":0}')
        )(reader, writer)

    async with serving(counted) as port:
        service = person_at(port)
        async with opened(service) as connector:
            for _ in range(20):
                await connector.fetch(ask(service, ELDER))
    assert made == 1


async def test_a_kept_connection_that_the_source_has_closed() -> None:
    """The source answers once a connection, then hangs up at the next question: it is asked again, once."""
    questions = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal questions
        await read_request(reader)
        questions += 1
        writer.write(http_answer(LEAST))
        await writer.drain()
        await reader.read(1)

    async with serving(once) as port:
        async with opened(person_at(port)) as connector:
            for _ in range(3):
                await connector.fetch(ask(person_at(port), ELDER))
        assert questions == 3
        async with opened(person_at(port, repeatable=False)) as connector:
            await connector.fetch(ask(person_at(port), ELDER))
            with pytest.raises(AgencyUnavailable) as caught:
                await connector.fetch(ask(person_at(port), ELDER))
    assert caught.value.fault == "disconnected"


async def test_a_source_that_always_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with serving(hang_up) as port:
        error = await failing(person_at(port))
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "disconnected")


@pytest.mark.parametrize(
    ("answer", "settings", "kind", "fault"),
    [
        (b"SSH-2.0-nope\r\n\r\n", {}, AgencyMisbehaved, "not_http"),
        (http_answer(b"{}", content_type="text/html"), {}, AgencyMisbehaved, "content_type"),
        (http_answer(b"[]"), {}, AgencyMisbehaved, "no_echo"),
        (http_answer(b'{"errorNumber":1}'), {}, AgencyMisbehaved, "source_error"),
        (
            http_answer(b"{}", status=404),
            {"not_found": [{"path": "/gone", "present": True}]},
            AgencyMisbehaved,
            "status",
        ),
        (
            http_answer(b'{"Message":"x"}', status=500),
            {"unavailable": [{"status": 500, "path": "/Message", "equals": ["x"]}]},
            AgencyUnavailable,
            "unavailable",
        ),
        (
            http_answer(b"<b>", status=500, content_type="text/html"),
            {"unavailable": [{"status": 500, "path": "/Message", "equals": ["x"]}]},
            AgencyMisbehaved,
            "status",
        ),
        (http_answer(b"{}", status=503), {"outside_hours": [{"status": 503}]}, OutsideServiceHours, "outside_hours"),
        (http_answer(b"{}", status=429, more="Retry-After: 99999\r\n"), {}, AgencyUnavailable, "unavailable"),
        (http_answer(b"{}", status=401), {}, AgencyMisbehaved, "credentials"),
        (http_answer(b"{}", more="Content-Encoding: br\r\n"), {}, AgencyMisbehaved, "encoding"),
        (http_answer(b"", status=204), {"not_found": [{"status": 204}]}, CitizenNotFound, None),
        (b"HTTP/1.1 200 X\r\n" + b"X-A: " + b"y" * 100_000 + b"\r\n\r\n", {}, AgencyMisbehaved, "not_http"),
    ],
)
async def test_other_answers(
    answer: bytes, settings: dict[str, Any], kind: type[GatewayError], fault: str | None
) -> None:
    async with serving(always(answer)) as port:
        error = await failing(person_at(port, **settings))
    assert (type(error), getattr(error, "fault", None)) == (kind, fault)
    assert error.retry_after in (None, 300)


async def test_endless_drips_end_with_the_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as port:
        error = await failing(person_at(port), seconds=0.4)
    assert type(error) is AgencyTimeout


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"identifier": {"in": "body", "at": "/personalID"}}, (b"POST /api/person HTTP", b'{"personalID":"%b"}')),
        (
            {
                "body": {"jobID": "j", "data": [{"serviceID": 1}]},
                "identifier": {"in": "body", "at": "/data/0/query/id", "as": "integer"},
            },
            (b"POST /api/person HTTP", b'{"jobID":"j","data":[{"serviceID":1,"query":{"id":%b}}]}'),
        ),
        (
            {"method": "GET", "path": "/p/{identifier}/x", "identifier": {"in": "path"}, "query": {"v": "ก &"}},
            (b"GET /p/%b/x?v=%%E0%%B8%%81+%%26 HTTP", b""),
        ),
        (
            {"method": "GET", "identifier": {"in": "query", "at": "PID"}, "query": {"Version": "01"}},
            (b"GET /api/person?Version=01&PID=%b HTTP", b""),
        ),
        ({"method": "GET", "identifier": {"in": "header", "at": "X-Person"}}, (b"X-Person: %b\r\n", b"")),
        ({"identifier": {"in": "header", "at": "X-Person"}, "body": {"a": 1}}, (b"X-Person: %b\r\n", b'{"a":1}')),
        (
            {"auth": {"scheme": "basic", "username": {"env": "SOURCE_DOPA__API_KEY"}, "password": {"file": "dopa/p"}}},
            (b"Authorization: Basic czpz\r\n", b'{"personalID":"%b"}'),
        ),
        (
            {"auth": {"scheme": "bearer", "token": {"file": "dopa/p"}}, "headers": {"X-Office": "00023"}},
            (b"Authorization: Bearer s\r\n", b'{"personalID":"%b"}'),
        ),
    ],
)
async def test_what_the_source_is_sent(settings: dict[str, Any], wanted: tuple[bytes, bytes]) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(http_answer(LEAST))

    async with serving(handler) as port:
        service = person_at(port, **settings)
        check_kind(service)
        async with opened(service, secret=lambda reference: "s") as connector:
            assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
    ((head, sent),) = seen
    head_wanted, body_wanted = (part.replace(b"%b", ELDER.encode()).replace(b"%%", b"%") for part in wanted)
    assert head_wanted in head
    assert sent == body_wanted
    assert head.count(ELDER.encode()) + sent.count(ELDER.encode()) == 1


async def test_an_identifier_cannot_break_out_of_its_place() -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await read_request(reader))[0])
        writer.write(http_answer(b"{}", status=404))

    odd = "9/../x?a=1&b#c"
    async with serving(handler) as port:
        for settings in (
            {"method": "GET", "path": "/p/{identifier}", "identifier": {"in": "path"}},
            {"method": "GET", "identifier": {"in": "query", "at": "PID"}},
        ):
            assert type(await failing(person_at(port, **settings), identifier=odd)) is CitizenNotFound
    assert [line.split(b"\r\n")[0] for line in seen] == [
        b"GET /p/9%2F..%2Fx%3Fa%3D1%26b%23c HTTP/1.1",
        b"GET /api/person?PID=9%2F..%2Fx%3Fa%3D1%26b%23c HTTP/1.1",
    ]


async def test_nothing_is_logged(dopa: Process, nhso: Process, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    nhso.fault("half", times=1)
    service = nhso.service("nhso.coverage.v1")
    async with opened(service) as connector:
        with pytest.raises(AgencyMisbehaved):
            await connector.fetch(ask(service, ELDER))
        await connector.fetch(ask(service, ELDER))
    assert ELDER not in caplog.text
