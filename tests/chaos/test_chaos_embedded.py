"""One process on SQLite, under load: killed, full, locked, at a wrong clock, flooded, beside a source that flaps."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.systems import memory_mb
from tests.acceptance.trail import wait_for
from tests.chaos.clock import Clock
from tests.chaos.world import ANSWERED, COVERED, WHOLE, World, locked
from tests.harness import COVER, ROOT, RunningGateway, free_port, running, token_of

HEAD_SECONDS = 1.0
NOBODY = 4000 if WHOLE else 600
MEGABYTES = 100
pytestmark = pytest.mark.timeout(300)
whole = pytest.mark.skipif(not WHOLE, reason="make chaos does it")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The gateway, on a clock that tests move."""
    folder: Path = tmp_path_factory.mktemp("chaos")
    clock = Clock(folder / "clock")
    started = RunningGateway.start

    def at_the_clock(gateway: RunningGateway, *, wait: bool = True) -> None:
        before = f"from tests.chaos.clock import shifted; shifted({str(clock.file)!r}); "
        if not gateway.program.startswith(before):
            gateway.program = before + gateway.program
        started(gateway, wait=wait)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(RunningGateway, "start", at_the_clock)
        settings = {"LINKAGE_HEAD_TIMEOUT": HEAD_SECONDS, "LINKAGE_BREAKER_SECONDS": 1, "LINKAGE_BODY_TIMEOUT": 3}
        with running(folder, **settings) as (gateway, agencies):
            yield World(gateway, agencies, f"sqlite:///{gateway.state / 'gateway' / 'linkage.db'}")


@pytest.fixture
def clock(world: World) -> Iterator[Clock]:
    held = Clock(world.gateway.state / "clock")
    yield held
    held.move(0)


def pid_of(world: World) -> int:
    assert world.gateway.process is not None
    return world.gateway.process.pid


def test_no_room_on_the_disk(world: World) -> None:
    pid = pid_of(world)
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    with world.load():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, limits[1]))
        try:
            begun = time.monotonic()
            wait_for(lambda: world.told_since(begun)["log_unavailable"] > 8)
            assert not world.ready()
            assert world.told_since(begun + 0.5).keys() <= {"log_unavailable"}
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        world.recovers("the disk was full")
    world.holds()


@whole
def test_the_database_is_slow_and_then_away(world: World) -> None:
    with world.load():
        for _ in range(10):
            other = locked(world)
            time.sleep(0.4)
            other.execute("ROLLBACK")
            other.close()
            time.sleep(0.1)
        world.recovers("the database was slow")
        other, begun = locked(world), time.monotonic()
        wait_for(lambda: world.told_since(begun)["log_unavailable"] > 3)
        other.execute("ROLLBACK")
        other.close()
        world.recovers("the database was locked")
    world.holds()


def test_a_clock_that_moves_back_and_forth(world: World, clock: Clock) -> None:
    with world.load():
        for seconds in (20, -20, 3600, -3600, 2 * 86400, 0) if WHOLE else (-20, 3600):
            clock.move(seconds)
            begun = time.monotonic()
            wait_for(lambda since=begun: sum(world.told_since(since).values()) > 20)
            codes = world.told_since(begun)
            assert set(codes) <= {"ok", "denied", "invalid_token", "broken", "overloaded"}, (seconds, codes)
            if seconds == -20:  # within what clocks may differ by
                assert codes["ok"]
        clock.move(0)
        world.recovers("the clock is right again")
    world.holds()


@whole
def test_what_was_used_once_is_not_good_again_after_the_clock_went_forth_and_back(world: World, clock: Clock) -> None:
    """A clock that runs ahead for a moment must not make the gateway forget what it has seen."""
    from tests.identity.assertions import claims_of, key_of, request, signed

    assertion = signed(key_of(world.gateway, "city-a-welfare"), claims_of(world.gateway, "city-a-welfare"))
    assert request(world.gateway, assertion).status_code == 200
    clock.move(3600)
    with world.load(2):
        time.sleep(2.5)
    clock.move(0)
    assert request(world.gateway, assertion).status_code == 401


@whole
def test_a_source_that_flaps(world: World) -> None:
    """The other source's questions are answered all the while."""
    with world.load(questions=(ANSWERED, COVERED)):
        begun = time.monotonic()
        for number in range(20 if WHOLE else 5):
            world.agencies["dopa"].fault("error_500" if number % 2 else "never")
            time.sleep(0.25)
            world.agencies["dopa"].fault("half" if number % 3 else "none")
            time.sleep(0.15)
        world.agencies["dopa"].fault("none")
        during = [told for told in world.told if told.service == COVER and told.at - told.seconds >= begun]
        assert during
        assert {told.status for told in during} == {200}
        world.recovers("the source is steady again")
    world.holds()


@whole
def test_two_on_one_file(world: World) -> None:
    with world.load(2):
        second = subprocess.run(
            [sys.executable, "-c", world.gateway.program],
            cwd=ROOT,
            env={**world.gateway.environment, "LINKAGE_PORT": str(free_port())},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode != 0
        assert "is in use by another gateway process" in second.stderr
        world.recovers("a second one was refused")
    world.holds()


@asynccontextmanager
async def connections(port: int, count: int, begins: bytes = b"") -> AsyncIterator[list[Any]]:
    """So many connections, open; (reader, writer) of each. Every other one begins with these bytes."""
    held: list[Any] = []
    try:
        for _ in range(0, count, 100):
            opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(100)))
            held += opened
            for _, writer in opened[::2]:
                writer.write(begins)
        yield held
    finally:
        for _, writer in held:
            writer.transport.abort()


@contextmanager
def many_files(count: int) -> Iterator[None]:
    """This process may hold so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.skip("too few open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _nobody(world: World, count: int) -> None:
    """Half of them silent, half with a byte each 0.3 seconds, while questions are answered; all are given up."""
    head = b"POST /v1/exchanges HTTP/1.1\r\nhost: gateway\r\nx-nothing: "
    before, begun = descriptors(pid_of(world)), time.monotonic()

    async def end_of(reader: asyncio.StreamReader) -> bytes:
        said = b""
        with contextlib.suppress(ConnectionError):  # a byte that came after the end resets it
            while part := await reader.read(4096):
                said += part
        return said

    async with connections(world.gateway.port, count, head) as held:
        opened, at_most = time.monotonic(), 0
        ends = [asyncio.create_task(end_of(reader)) for reader, _ in held]
        while not all(end.done() for end in ends) and time.monotonic() < opened + 30:
            at_most = max(at_most, descriptors(pid_of(world)))
            for end, (_, writer) in zip(ends[::2], held[::2], strict=True):
                if not end.done():
                    writer.write(b"a")
            await asyncio.sleep(0.3)
        took, given_up = time.monotonic() - opened, sum(end.done() for end in ends)
        slowest = max(told.seconds for told in world.told if told.at >= begun)
        print(
            f"\n  {count} connections that say nothing or a byte at a time: {given_up} given up within {took:.1f} s, "
            f"at most {at_most} files open; the slowest answer of others took {slowest:.2f} s",
            flush=True,
        )
        assert given_up == count
        told = [end.result() for end in ends[::2]]
        assert any(b'"request_timeout"' in answer for answer in told)
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in told if answer)
        assert {end.result() for end in ends[1::2]} == {b""}
    wait_for(lambda: descriptors(pid_of(world)) < before + 60, 10)


def test_connections_that_say_nothing_or_a_byte_at_a_time(world: World) -> None:
    with many_files(NOBODY), world.load(4):
        begun = time.monotonic()
        asyncio.run(_nobody(world, NOBODY))
        assert world.told_since(begun).keys() <= {"ok", "denied"}
        world.recovers("nobody is there any more")
    world.holds()


def test_more_connections_than_files(tmp_path: Path) -> None:
    """The one that has said nothing for longest goes first; who has something to say is heard."""
    gateway = RunningGateway(tmp_path, LINKAGE_HEAD_TIMEOUT=60)
    gateway.program = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)); " + gateway.program

    async def crowd() -> None:
        async with connections(gateway.port, 300) as held:
            answers = [httpx.get(f"{gateway.url}/readyz", trust_env=False, timeout=20) for _ in range(5)]
            assert {answer.status_code for answer in answers} == {200}
            await asyncio.sleep(0.1)
            assert sum(reader.at_eof() or reader.exception() is not None for reader, _ in held) > 100

    gateway.initialise()
    gateway.start()
    try:
        asyncio.run(crowd())
    finally:
        gateway.stop()


def _pours(world: World, head: str, *, chunked: bool) -> tuple[bytes, int]:
    """Sends a body of 100 MB as fast as it is taken; what is answered, and how many bytes were taken."""
    piece = b"x" * 65536
    if chunked:
        piece = b"%x\r\n%b\r\n" % (len(piece), piece)
    taken, answer = 0, b""
    with socket.create_connection(("127.0.0.1", world.gateway.port), timeout=20) as wire:
        wire.sendall(head.encode())
        try:
            for _ in range(MEGABYTES * 16):
                wire.sendall(piece)
                taken += len(piece)
        except OSError:
            pass
        with contextlib.suppress(OSError):
            while chunk := wire.recv(65536):
                answer += chunk
    return answer, taken


@pytest.mark.parametrize("chunked", [pytest.param(False, marks=whole, id="declared"), pytest.param(True, id="chunked")])
def test_bodies_of_a_hundred_megabytes(world: World, chunked: bool) -> None:
    length = "transfer-encoding: chunked" if chunked else f"content-length: {MEGABYTES * 2**20}"
    token = token_of(world.gateway, "city-a-welfare")
    before = memory_mb(pid_of(world))[0]
    with world.load(3):
        begun = time.monotonic()
        for path, kind in (
            ("/v1/exchanges", "application/json"),
            ("/oauth/token", "application/x-www-form-urlencoded"),
        ):
            for _ in range(3 if WHOLE else path == "/v1/exchanges"):
                head = (
                    f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: {kind}\r\n"
                    f"authorization: Bearer {token}\r\n{length}\r\n\r\n"
                )
                answer, taken = _pours(world, head, chunked=chunked)
                assert answer == b"" or answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400")), answer[:60]
        grown = memory_mb(pid_of(world))[0] - before
        print(f"\n  {length.partition(':')[0]}: the last took {taken / 1e6:.1f} MB; memory grew by {grown:.1f} MB")
        assert grown < MEGABYTES / 2
        assert world.told_since(begun).keys() <= {"ok", "denied"}
        world.recovers("the bodies are over")
    world.holds()


@whole
def test_a_flood_of_bad_tokens(world: World) -> None:
    count, entries = 4000 if WHOLE else 500, world.entries
    begun = time.monotonic()
    with world.load(3):
        before = len(world.told)
        with httpx.Client(trust_env=False, timeout=20) as wire:
            for number in range(count):
                headers = {"authorization": f"Bearer e30.e30.{number:x}"}
                assert wire.post(f"{world.gateway.url}/v1/exchanges", json=ANSWERED, headers=headers).status_code == 401
        rate = count / (time.monotonic() - begun)
        assert world.told_since(begun).keys() <= {"ok", "denied"}
        assert len(world.told) > before
        world.recovers(f"{count} bad tokens, {rate:,.0f} a second")
    world.holds()
    own = sum(2 if told.status == 200 else 1 for told in world.told if told.at >= begun)
    assert world.entries - entries <= own + 50


@whole
def test_what_was_left_open_is_closed_by_itself(world: World) -> None:
    with world.load(2):
        world.recovers("after all of this")
    world.holds(closed=True)


@whole
def test_killed_in_mid_batch_and_at_last_every_exchange_has_its_end(world: World) -> None:
    for _ in range(3):
        world.agencies["dopa"].fault("late", seconds=0.2, times=30)
        with world.load(4):
            world.gateway.kill()
            world.gateway.start(wait=False)
            world.recovers("killed, and started again")
        world.agencies["dopa"].fault("none")
        world.holds(closed=True)
    assert all(len(ends) == 1 for ends in world.ends.values())
