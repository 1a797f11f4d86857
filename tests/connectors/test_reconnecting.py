"""What is asked once more, what is not, and how a source that has moved is followed."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from local_sources import always, ask, http_answer, opened, read_request, services_at, serving

from connectors.population import story
from gateway.errors import GatewayError
from gateway.model.service import Service
from gateway.plugin import AgencyTimeout, AgencyUnavailable
from tests.harness import free_port

ELDER = story("elder")
LEAST = b'{"personalID":9111111111114,"firstName":"%s","lastName":"b","statusOfPersonCode":0}'


def person(url: str, **settings: Any) -> Service:
    service = services_at("dopa", "https://set-below.example")["dopa.person.v1"]
    service.connector["endpoint"] = url  # type: ignore[index]
    service.connector["settings"].update(settings)
    return service


async def failure(service: Service, seconds: float = 5.0) -> GatewayError:
    async with opened(service) as connector:
        with pytest.raises(GatewayError) as caught:
            await connector.fetch(ask(service, ELDER, seconds=seconds))
    return caught.value


async def test_where_no_connection_came_about_it_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was sent: a source that restarts meanwhile is reached, whatever its settings say of repeating."""
    monkeypatch.setattr("connectors.http_source._PAUSE_SECONDS", 0.5)
    port = free_port()
    service = person(f"http://127.0.0.1:{port}", repeatable=False)
    async with opened(service) as connector:
        asking = asyncio.create_task(connector.fetch(ask(service, ELDER)))
        await asyncio.sleep(0.1)
        server = await asyncio.start_server(always(http_answer(LEAST % b"a")), "127.0.0.1", port)
        try:
            assert (await asking).echo == ELDER
        finally:
            server.close()


async def test_a_second_try_keeps_to_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http_source._PAUSE_SECONDS", 30.0)
    error = await failure(person(f"http://127.0.0.1:{free_port()}"), seconds=0.3)
    assert isinstance(error, AgencyTimeout)


async def test_a_source_that_is_down_is_tried_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def counted(address: str) -> bool:
        tried.append(1)
        return True

    service = person(f"http://127.0.0.1:{free_port()}")
    async with opened(service, address_allowed=counted) as connector:
        with pytest.raises(AgencyUnavailable) as caught:
            await connector.fetch(ask(service, ELDER))
    assert (caught.value.fault, len(tried)) == ("refused", 2)


@pytest.mark.parametrize(("repeatable", "questions"), [(True, 2), (False, 1)])
async def test_a_question_that_was_sent_is_repeated_only_if_that_does_no_harm(repeatable: bool, questions: int) -> None:
    asked = 0

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await read_request(reader)
        asked += 1

    async with serving(hangs_up) as port:
        error = await failure(person(f"http://127.0.0.1:{port}", repeatable=repeatable))
    assert getattr(error, "fault", "") == "disconnected"
    assert asked == questions


async def test_a_question_that_was_answered_badly_is_never_repeated() -> None:
    asked = 0

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await read_request(reader)
        asked += 1
        writer.write(http_answer(b"{}", status=500))

    async with serving(broken) as port:
        error = await failure(person(f"http://127.0.0.1:{port}"))
    assert getattr(error, "fault", "") == "status"
    assert asked == 1


class Names:
    """What `source.example` resolves to, as a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address = "127.0.0.1"
        real = socket.getaddrinfo

        def told(host: Any, *more: Any, **named: Any) -> Any:
            return real(self.address if host == "source.example" else host, *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", told)


async def test_a_source_that_has_moved_is_followed_though_its_old_place_still_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection in constant use would else be kept for ever."""
    monkeypatch.setattr("connectors.http_source.RENEWED_SECONDS", 0.3)
    names, port = Names(monkeypatch), free_port()
    old = await asyncio.start_server(always(http_answer(LEAST % b"old")), "127.0.0.1", port)
    new = await asyncio.start_server(always(http_answer(LEAST % b"new")), "127.0.0.2", port)
    service = person(f"http://source.example:{port}")
    async with opened(service, address_allowed=lambda address: address.startswith("127.")) as connector:
        assert (await connector.fetch(ask(service, ELDER))).data["first_name"] == "old"
        names.address = "127.0.0.2"
        async with asyncio.timeout(10):
            while (await connector.fetch(ask(service, ELDER))).data["first_name"] == "old":
                await asyncio.sleep(0.02)
    old.close()
    new.close()


async def test_a_source_that_has_moved_and_is_gone_from_its_old_place_is_followed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names, port = Names(monkeypatch), free_port()
    new = await asyncio.start_server(always(http_answer(LEAST % b"new")), "127.0.0.2", port)
    service = person(f"http://source.example:{port}")
    async with opened(service, address_allowed=lambda address: address.startswith("127.")) as connector:
        with pytest.raises(AgencyUnavailable):
            await connector.fetch(ask(service, ELDER))
        names.address = "127.0.0.2"
        assert (await connector.fetch(ask(service, ELDER))).data["first_name"] == "new"
    new.close()


async def test_a_name_that_moves_to_where_the_gateway_may_not_go_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("connectors.http_source.RENEWED_SECONDS", 0.0)
    names = Names(monkeypatch)
    reached = 0

    async def inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1

    async with serving(always(http_answer(LEAST % b"a"))) as port:
        trap = await asyncio.start_server(inside, "127.0.0.2", port)
        service = person(f"http://source.example:{port}")
        async with opened(service) as connector:
            await connector.fetch(ask(service, ELDER))
            names.address = "127.0.0.2"
            with pytest.raises(AgencyUnavailable) as caught:
                await connector.fetch(ask(service, ELDER))
        trap.close()
    assert caught.value.fault == "address_not_allowed"
    assert reached == 0
