"""What each gateway does once two people have decided that months of the log are forgotten.

The act took the months' keys out of the database. Each gateway then steps its own master key past them, so that an
old copy of the database does not open either, and says so in the log: who looks for a machine that still could,
finds which have not. One that was off does it when it starts, before it serves.
"""

from __future__ import annotations

import asyncio

from gateway.current import Current
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.vault import Vault
from gateway.model import now
from gateway.observe import logger
from gateway.store import Store

SECONDS = 1.0


async def forget(store: Store, log: ExchangeLog, vault: Vault, current: Current) -> bool:
    """Steps past what the registers say is forgotten; False where that was done. LogUnavailable, OSError."""
    record = current.holding.registers.record("log", "contents")
    if record is None or record["forgotten"] is None:
        return False
    if not await asyncio.to_thread(vault.forget, record["forgotten"]):
        return False
    moment = now()
    await log.ready(moment)
    await store.append([log.draft("month.forgotten", moment, content={"through": record["forgotten"]})])
    return True


async def follow(store: Store, log: ExchangeLog, vault: Vault, current: Current) -> None:
    """Looks for it, for ever."""
    while True:
        await asyncio.sleep(SECONDS)
        try:
            await forget(store, log, vault, current)
        except Exception as error:
            logger.warning("month_not_forgotten", kind=type(error).__name__)
