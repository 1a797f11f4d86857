"""Wiring: settings in, a gateway out. Nothing here decides anything."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from gateway import forgetting, telling
from gateway.catalogue import machine_secrets, open_connector, told_of_changes
from gateway.consenting import Consenting
from gateway.consents import ConsentBook
from gateway.current import Current, Holding
from gateway.errors import GatewayError, Moved
from gateway.exchangelog import ExchangeLog, ExchangeSearch
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.completeness import Completeness
from gateway.exchangelog.housekeeping import Housekeeping
from gateway.exchangelog.published import Published
from gateway.exchangelog.subjectmap import SubjectMaps
from gateway.exchangelog.tree import grow
from gateway.exchangelog.vault import Vault
from gateway.exchangelog.witnesses import Witness, Witnesses
from gateway.governance import Governance, found
from gateway.http.application import application
from gateway.http.drain import Drain
from gateway.http.edge import Edge
from gateway.http.turned_away import TurnedAway
from gateway.identity import Identity
from gateway.judgement import Judging
from gateway.keyhistory import KeysOutOfDate, log_key_since, require_known, signs_checkpoints, take_up
from gateway.keys import Keys, new_key, public_key, read_key, write_key
from gateway.model import Service, new_id, now, timestamp
from gateway.observe import Metrics, configure, logger
from gateway.own_log import NotInitialised, require_own_log
from gateway.pipeline import Pipeline
from gateway.plugin import Connector
from gateway.policy import PolicySet
from gateway.rates import Rates
from gateway.recording import Recording
from gateway.recovery import close_interrupted
from gateway.release import Minimiser
from gateway.reminding import Reminders
from gateway.seal import Sealer
from gateway.serving import Server, configured, listening
from gateway.settings import Settings
from gateway.sources import Sources
from gateway.store import REGISTERS, Connection, Store
from gateway.store.lease import lease_for
from gateway.store.migrate import standing, upgrade
from gateway.supervisor import supervise

RECOVERY_SECONDS = 15.0
COLLECT_SECONDS = 60.0
ATTEMPTS = 8
STOPPING_SECONDS = 15
"""What stopping takes at most once nothing is under way any more: the last entries, the database let go of."""


def build(settings: Settings, drain: Drain, *, owner: str | None = None) -> ASGIApp:
    """The ASGI application of one gateway; it opens its database when the server starts it.

    `owner`: the supervisor that starts it, of which there is one at a time and which knows when it has ended.
    """
    boot = new_id("boot")
    keys = Keys.load(settings.keys)
    store = Store(settings.database, max_waiting=settings.max_waiting_appends)
    vault = Vault(keys.master, settings.log_archive)
    log = ExchangeLog(store, keys, origin=settings.origin, gateway=settings.gateway_name, vault=vault, boot=boot)
    lease = lease_for(settings.database, settings.gateway_name, boot=boot, owner=owner or boot)
    store.work_behind(_behind(log))
    metrics = Metrics()
    witnesses = tuple(Witness.parse(text) for text in settings.witnesses)
    checkpoints = Checkpoints(
        store,
        keys,
        metrics,
        origin=settings.origin,
        witnesses=[witness.key for witness in witnesses],
        wanted=settings.witnesses_wanted,
        demanded=settings.witnesses_demanded,
        standing=lambda: _standing(keys, current),
        since=lambda: log_key_since(current.holding.registers),
    )
    published, secret = Published(store, checkpoints, vault), machine_secrets(settings.secrets)

    def open_one(service: Service) -> Connector:
        allowed = sources.watched(service, settings.address_allowed(service.agency))
        return open_connector(service, secret=secret, address_allowed=allowed)

    sources = Sources(
        open_one,
        max_per_source=settings.max_per_source,
        max_per_agency=settings.max_per_agency,
        breaker_failures=settings.breaker_failures,
        breaker_seconds=settings.breaker_seconds,
    )

    not_as_approved = told_of_changes()

    def changed(holding: Holding) -> None:
        sources.keep(holding.services.values())
        not_as_approved(holding.services.values())

    current = Current(store, changed=changed, accept=lambda registers: require_known(keys, registers))
    identity = Identity(keys, store, settings.issuer)
    consents, rates = ConsentBook(keys, store), Rates(settings.rate_limit, settings.rate_limit_storage)
    pipeline, around = _traced(
        settings,
        keys,
        Pipeline(
            current,
            identity,
            Judging(store, consents, keys.derive_all("pseudonym/comparison")[-1]),  # the first: tries of today go on
            Recording(store, log),
            sources,
            Minimiser(),
            Sealer(keys, settings.issuer),
            settings.sandbox,
            rates,
        ),
    )
    edge = Edge(
        settings=settings,
        keys=keys,
        store=store,
        current=current,
        log=log,
        search=ExchangeSearch(store),
        checkpoints=checkpoints,
        published=published,
        completeness=Completeness(store, SubjectMaps(settings.database, store, log), published),
        identity=identity,
        pipeline=pipeline,
        consenting=Consenting(current, store, log, consents, keys, issuer=settings.issuer, sandbox=settings.sandbox),
        governance=Governance(
            current, store, log, keys, audience=settings.issuer, retention_months=settings.log_retention_months
        ),
        turned_away=TurnedAway(metrics),
        metrics=metrics,
        drain=drain,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if lease is not None:
            await asyncio.to_thread(lease.take)
        await current.refresh()
        await vault.rewrap(store)
        await _take_up_keys(store, log, keys, current)
        await forgetting.forget(store, log, vault, current)
        await _note(edge, "gateway.started")
        await close_interrupted(store, log, restarted=True)
        tasks = [
            asyncio.create_task(current.follow(settings.registers_poll)),
            asyncio.create_task(edge.turned_away.run(log)),
            asyncio.create_task(_recover(store, log)),
            asyncio.create_task(_collect()),
            asyncio.create_task(rates.run()),
            asyncio.create_task(Reminders(current, store, log, metrics).run(settings.registers_poll)),
            asyncio.create_task(forgetting.follow(store, log, vault, current)),
            asyncio.create_task(telling.follow(store, log)),
            asyncio.create_task(edge.completeness.maps.run(settings.subject_map_interval)),
            asyncio.create_task(checkpoints.run(settings.checkpoint_interval)),
            asyncio.create_task(
                Witnesses(store, checkpoints, published, metrics, witnesses).run(settings.checkpoint_interval)
            ),
        ]
        _spare_the_collector()
        if lease is not None:
            tasks.append(asyncio.create_task(lease.keep(partial(_name_lost, settings, drain))))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await sources.close()
            with contextlib.suppress(GatewayError):
                await edge.turned_away.flush(log)
                await _note(edge, "gateway.stopped")
            await asyncio.to_thread(store.close)
            if lease is not None:
                await asyncio.to_thread(lease.release)

    return around(application(edge, lifespan, drain))


def _traced(settings: Settings, keys: Keys, pipeline: Pipeline) -> tuple[Pipeline, Callable[[ASGIApp], ASGIApp]]:
    """The pipeline, and what goes around the application, with traces where somebody collects them."""
    if not settings.otlp_endpoint:
        return pipeline, lambda app: app
    from gateway.tracing import Tracing

    tracing = Tracing(settings.otlp_endpoint, keys, settings.gateway_name)
    return tracing.traced(pipeline), tracing.around


def _name_lost(settings: Settings, drain: Drain) -> None:
    """Another process has this one's name: it took this one for dead. What is under way here is no longer safe."""
    logger.error("name_taken", gateway=settings.gateway_name)
    drain.begin()


def _spare_the_collector() -> None:
    """What start-up has made stays, so the garbage collector need not look through it for ever again.

    An exchange leaves few cycles behind; looking for them each 700 objects is a twelfth of what it costs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


async def _collect() -> None:
    """Looks through all but what start-up has made, ten thousand objects, once a minute.

    By the thresholds that would be once in millions of exchanges: they count objects that can be in a cycle, and a few
    of those can hold megabytes that do not count.
    """
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        gc.collect()


def serve(settings: Settings) -> None:
    """Runs the gateway until SIGTERM or Ctrl-C, finishing what is in flight.

    Raises NotInitialised, OtherLog, AlreadyInUse, NameTaken.
    """
    configure(settings.log_level)
    if not settings.keys.exists():
        raise NotInitialised(
            f"no keys at {settings.keys}: run `linkage init` first",
            f"เกตเวย์ยังไม่ได้เริ่มต้น (ไม่มีกุญแจที่ {settings.keys}) เรียก `linkage init` ก่อน",
        )
    if settings.workers > 1:
        _serve_with_workers(settings)
        return
    drain = Drain(settings.drain_seconds)
    owner = new_id("boot")
    config = configured(
        build(settings, drain, owner=owner), settings
    )  # takes an embedded database's lock, before it is migrated
    if settings.database.startswith("sqlite"):
        upgrade(settings.database)
    _require_fitting(settings, owner)
    Server(config, drain).run()


def _serve_with_workers(settings: Settings) -> None:
    """The supervisor's part: what can be found wrong is, before anything is forked; and all connections are closed."""
    owner, pid = new_id("boot"), os.getpid()
    each = [
        settings.model_copy(update={"gateway_name": f"{settings.gateway_name}-{number + 1}", "workers": 1})
        for number in range(settings.workers)
    ]
    for worker in each:
        _require_fitting(worker, owner)
    listener = listening(settings.host, settings.port)

    def run(number: int) -> None:
        own, drain = each[number - 1], Drain(settings.drain_seconds)
        Server(configured(build(own, drain, owner=owner), own), drain, parent=pid).run(sockets=[listener])

    if supervise(settings.workers, run, stopping=listener.close, bound=settings.drain_seconds + STOPPING_SECONDS):
        raise SystemExit(1)


def _require_fitting(settings: Settings, owner: str) -> None:
    """That the database has the tables, the log and the free name that this gateway needs."""
    if standing(settings.database) == "behind":
        raise NotInitialised(
            "the database lacks migrations: run `linkage db upgrade` first",
            "ตารางของฐานข้อมูลเป็นรุ่นเก่า เรียก `linkage db upgrade` ก่อน",
        )
    require_own_log(settings)
    lease = lease_for(settings.database, settings.gateway_name, boot=owner, owner=owner)
    if lease is not None:
        lease.take()  # the gateway takes it over from its owner


def initialise(settings: Settings, *, first_admin: str, policies: Path) -> Path:
    """Sets up the state: directories, key files, tables, the policy set, the first administrator.

    Returns the path of the administrator's private key. Goes on where an earlier run was interrupted;
    Conflict where the database was founded before.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = Keys.create(settings.keys)
    upgrade(settings.database)
    key_file = settings.state_dir / "operators" / f"{first_admin}.jwk"
    if not key_file.exists():
        write_key(key_file, new_key("EdDSA"))
    policy_set = PolicySet.from_folder(policies)
    asyncio.run(_found(settings, keys, first_admin, key_file, policy_set))
    return key_file


async def _found(settings: Settings, keys: Keys, name: str, key_file: Path, policies: PolicySet) -> None:
    store = Store(settings.database)
    try:
        log = ExchangeLog(store, keys, origin=settings.origin, gateway=settings.gateway_name)
        public = {k: v for k, v in public_key(read_key(key_file)).items() if k not in ("alg", "use")}
        operator: dict[str, Any] = {
            "kind": "operator",
            "id": name,
            "name": name,
            "role": "admin",
            "agency": None,
            "keys": [public],
            "revoked_kids": [],
            "status": "active",
            "version": 1,
            "added_by": name,
            "added_at": timestamp(now()),
        }
        await found(store, log, operator, policies.as_json(), policies.digest, key=read_key(key_file))
    finally:
        await asyncio.to_thread(store.close)


def _behind(log: ExchangeLog) -> Callable[[Connection], bool]:
    """What the writer's thread does when nothing waits: tiles, the search's tables, the sweeping."""
    sweep = Housekeeping()
    return lambda connection: grow(connection) | log.behind(connection) | sweep(connection)


def _standing(keys: Keys, current: Current) -> dict[str, int] | None:
    """The revisions on which this gateway's log key is the one in use; None where another is."""
    registers = current.holding.registers
    return {REGISTERS: registers.revision} if signs_checkpoints(keys, registers) else None


async def _take_up_keys(store: Store, log: ExchangeLog, keys: Keys, current: Current) -> None:
    """Enters new key files. Another gateway that enters the same at the same time is waited for."""
    for _ in range(ATTEMPTS):
        try:
            await take_up(store, log, keys, current.holding.registers)
        except KeysOutOfDate as error:
            logger.error("keys_out_of_date", what=str(error))
            raise
        except Moved:
            pass
        else:
            break
        await current.refresh()
    await current.refresh()


async def _note(edge: Edge, kind: str) -> None:
    """An entry that this gateway started or stopped."""
    moment = now()
    await edge.log.ready(moment)
    await edge.store.append([edge.log.draft(kind, moment, content={"version": _version()})])


def _version() -> str:
    from gateway import __version__

    return __version__


async def _recover(store: Store, log: ExchangeLog) -> None:
    while True:
        await asyncio.sleep(RECOVERY_SECONDS)
        try:
            await close_interrupted(store, log, restarted=False)
        except Exception as error:
            logger.warning("recovery_failed", kind=type(error).__name__)
