"""A signal that ends the demonstration ends it, wherever it comes."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from gateway.demo.performance import Stopped, stopped_by_signals


def ended() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_in_a_callback_of_an_event_loop() -> None:
    """The loop keeps what a callback raises, but for an exit."""

    async def command() -> None:
        asyncio.get_running_loop().call_soon(ended)
        await asyncio.sleep(30)

    with pytest.raises(Stopped) as stopped, stopped_by_signals():
        asyncio.run(command())
    assert (stopped.value.number, stopped.value.code) == (signal.SIGTERM, 128 + signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_in_a_finaliser() -> None:
    """The interpreter drops what it raises: the next look finds that it came."""

    class Held:
        def __del__(self) -> None:
            ended()

    with stopped_by_signals() as signals:
        signals.check()
        held = Held()
        del held
        with pytest.raises(Stopped):
            signals.check()
