"""The kind `sql` beyond what the conformance kit asks: on PostgreSQL, who may write, what a query may be."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sandboxes import SECRETS, Sandbox, some

from connectors.population import story
from connectors.population_files import files_of
from connectors.sql import SETTINGS_SCHEMA, check
from gateway.catalogue.form import Form
from gateway.conformance import CHECKS, Case, NotApplicable
from gateway.conformance.between import between
from gateway.errors import AgencyMisbehaved, AgencyTimeout, AgencyUnavailable, CitizenNotFound
from tests.databases import postgres

QUERY = "SELECT pid, deed_no FROM land_deed WHERE pid = :identifier"
OWNER = some(lambda one: len(files_of(one).deeds) == 2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(administrator's URL, its Unix socket) of a database that the sandbox has filled."""
    base = postgres()
    name = f"land_{secrets.token_hex(4)}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    host, _, query = base.partition("?")
    url = f"{host.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    sandbox = Sandbox("dol", tmp_path_factory.mktemp("dol"), "--database", url)
    sandbox.wait()
    sandbox.stop()
    folder = parse_qs(query).get("host", [""])[0]
    if not folder:
        pytest.skip("the PostgreSQL here has no Unix socket to stand in front of")
    yield url, f"{folder}/.s.PGSQL.{urlsplit(url).port or 5432}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def case(server: tuple[str, str], tmp_path: Path) -> AsyncIterator[Case]:
    """dol.land-deed.v1 on PostgreSQL, reached over TCP."""
    async with between(server[1], http=False) as bridge:
        yield land(
            f"postgresql://127.0.0.1:{bridge.port}/{urlsplit(server[0]).path[1:]}", lambda name: SECRETS[name[4:]]
        )


def land(endpoint: str, secret: Any) -> Case:
    sandbox = Sandbox.__new__(Sandbox)
    sandbox.agency, sandbox.url = "dol", endpoint
    return Case(
        name="dol on another database",
        service=sandbox.services()["dol.land-deed.v1"],
        secret=secret,
        right=OWNER.citizen_id,
        other=some(lambda one: files_of(one).deeds, but=OWNER.citizen_id).citizen_id,
        unknown=story("minor"),
        transport="tcp",
    )


def changed(case: Case, **settings: Any) -> Case:
    """The case with other settings; a list's mapping is left as it is."""
    connector = case.service.connector
    own = {**connector, "settings": {**connector["settings"], **settings}}
    return replace(case, service=replace(case.service, connector=own))


@pytest.mark.parametrize("check_name", CHECKS)
async def test_conformance_on_postgresql(case: Case, check_name: str) -> None:
    try:
        await CHECKS[check_name](case)
    except NotApplicable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT INSERT ON land_deed TO {}",
        "GRANT UPDATE (rai) ON land_deed TO {}",
        "GRANT CREATE ON SCHEMA public TO {}",
        "ALTER ROLE {} CREATEROLE",
        "GRANT pg_write_all_data TO {}",
    ],
)
async def test_an_account_that_can_write_is_not_used(case: Case, server: tuple[str, str], grant: str) -> None:
    account = SECRETS["SOURCE_DOL__USERNAME"]
    undo = grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM ").replace("{} CREATEROLE", "{} NOCREATEROLE")
    with psycopg.connect(server[0], autocommit=True) as admin:
        admin.execute(grant.format(account))
        try:
            async with case.opened() as connector:
                error = await case.failure(connector, case.right)
        finally:
            admin.execute(undo.format(account))
        assert (type(error), getattr(error, "fault", "")) == (AgencyMisbehaved, "account_can_write")
    async with case.opened() as connector:
        await connector.fetch(case.ask(case.right))


async def test_a_long_query_is_ended_in_the_database_too(case: Case, server: tuple[str, str]) -> None:
    slow = f"{QUERY} AND pg_sleep(30) IS NOT NULL"
    async with changed(case, query=slow).opened() as connector:
        assert isinstance(await case.failure(connector, case.right, 0.5), AgencyTimeout)
    async with changed(case, query=slow, statement_seconds=1).opened() as connector:
        assert isinstance(await case.failure(connector, case.right, 15), AgencyTimeout)
    with psycopg.connect(server[0]) as admin:
        left = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'linkage' AND state = 'active' "
            "AND query LIKE %s AND query_start < now() - interval '12 seconds'",
            ("%pg_sleep%",),
        ).fetchone()
    assert left == (0,)


async def test_a_query_that_would_write_cannot(case: Case, server: tuple[str, str]) -> None:
    for query in (
        "WITH gone AS (DELETE FROM land_deed WHERE pid = :identifier RETURNING *) SELECT * FROM gone",
        "SELECT pid FROM no_such_table WHERE pid = :identifier",
        "SELECT pid, lo_create(0) AS made FROM land_deed WHERE pid = :identifier",
    ):
        async with changed(case, query=query).opened() as connector:
            assert isinstance(await case.failure(connector, case.right), AgencyMisbehaved)
    async with case.opened() as connector:
        assert len((await connector.fetch(case.ask(case.right))).data["deeds"]) == 2


async def test_the_servers_log_shows_which_exchange_a_query_belongs_to(case: Case, server: tuple[str, str]) -> None:
    with psycopg.connect(server[0], autocommit=True) as admin:
        for said, shown in (("aaa.bbb-_.ccc", True), ("a.b.c */ DELETE", False), ("a.b", False), ("", False)):
            async with case.opened() as connector:
                question = replace(case.ask(case.right), introduce=lambda said=said: said)
                assert len((await connector.fetch(question)).data["deeds"]) == 2
                asked = admin.execute(
                    "SELECT query FROM pg_stat_activity WHERE application_name = 'linkage' AND query LIKE %s "
                    "ORDER BY query_start DESC LIMIT 1",
                    ("%AS answer%LIMIT%",),
                ).fetchone()
            assert asked is not None
            assert asked[0].endswith(f"/* Linkage-Exchange: {said} */") is shown, asked[0]
            assert "DELETE" not in asked[0]
            assert case.right not in asked[0]


async def test_an_encrypted_connection_is_demanded_beyond_loopback(server: tuple[str, str]) -> None:
    async with between(server[1], http=False) as bridge:
        case = land(f"postgresql://localhost.localdomain.invalid:{bridge.port}/x", lambda name: SECRETS[name[4:]])
        async with case.opened() as connector:
            error = await case.failure(connector, case.right)
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "dns")


def file_case(folder: Path, script: str) -> Case:
    connection = sqlite3.connect(folder / "land.sqlite")
    connection.executescript(script)
    connection.close()
    return land(f"sqlite:///{folder / 'land.sqlite'}", lambda name: str(folder))


COLUMNS = "pid, deed_no, land_no, survey_no, province_code, rai, ngan, wah"


QUOTED = "'x'"


async def test_sqlite_answers_that_cannot_be_used(tmp_path: Path) -> None:
    identifier = OWNER.citizen_id
    row = f"'{identifier}', '1', '2', 'x', 6, 1, 1, '1'"
    case = file_case(tmp_path, f"CREATE TABLE land_deed ({COLUMNS}); INSERT INTO land_deed VALUES ({row});")
    only = {"query": f"SELECT {COLUMNS} FROM land_deed WHERE pid = :identifier"}

    async def fault(script: str) -> str:
        connection = sqlite3.connect(tmp_path / "land.sqlite")
        connection.executescript(f"DELETE FROM land_deed; {script}")
        connection.close()
        async with changed(case, **only).opened() as connector:
            error = await case.failure(connector, case.right)
        return str(getattr(error, "fault", type(error).__name__))

    def rows(sheet: str, count: int = 1) -> str:
        return "INSERT INTO land_deed VALUES " + ", ".join([f"({row.replace(QUOTED, sheet)})"] * count)

    assert await fault("") == "CitizenNotFound"
    assert await fault(rows("hex(zeroblob(400000))", 2)) == "too_large"
    assert await fault(rows("zeroblob(9)")) == "unmapped"
    assert await fault(rows("CAST(x'A1D2' AS TEXT)")) == "charset"
    assert await fault(rows(QUOTED, 101)) == "many_rows"


async def test_sqlite_text_in_tis_620(tmp_path: Path) -> None:
    identifier = OWNER.citizen_id
    name = "ระวาง".encode("tis_620").hex()
    row = f"'{identifier}', '1', '2', CAST(x'{name}' AS TEXT), 6, 1, 1, '1'"
    case = file_case(tmp_path, f"CREATE TABLE land_deed ({COLUMNS}); INSERT INTO land_deed VALUES ({row});")
    async with changed(case, charset="tis-620").opened() as connector:
        record = await connector.fetch(case.ask(case.right))
    assert record.data["deeds"][0]["survey_sheet"] == "ระวาง"


async def test_only_files_of_the_folder_that_the_operator_named(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "other").mkdir()
    elsewhere = file_case(tmp_path / "other", f"CREATE TABLE land_deed ({COLUMNS});")
    link = tmp_path / "own" / "link.sqlite"
    link.symlink_to(tmp_path / "other" / "land.sqlite")
    for path in (tmp_path / "other" / "land.sqlite", link, tmp_path / "own" / ".." / "other" / "land.sqlite"):
        case = land(f"sqlite:///{path}", lambda name: str(tmp_path / "own"))
        async with case.opened() as connector:
            error = await case.failure(connector, case.right)
        assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "file_not_allowed")
    async with elsewhere.opened() as connector:
        assert isinstance(await elsewhere.failure(connector, elsewhere.right), CitizenNotFound)


ENV = {"env": "SOURCE_DOL__USERNAME"}
ACCOUNT = {"account": {"username": ENV, "password": ENV}}


@pytest.mark.parametrize(
    ("endpoint", "settings", "good"),
    [
        ("postgresql://db.example/land", {**ACCOUNT}, True),
        ("postgresql://db.example:5433/land", {**ACCOUNT, "tls": {"ca": ENV}}, True),
        ("sqlite:////srv/land.sqlite", {"folder": ENV}, True),
        ("sqlite:////srv/land.sqlite", {}, False),
        ("sqlite:///relative.sqlite", {"folder": ENV}, False),
        ("postgresql://db.example/land", {}, False),
        ("postgresql://user:secret@db.example/land", {**ACCOUNT}, False),
        ("postgresql://db.example/land?options=-c", {**ACCOUNT}, False),
        ("mysql://db.example:3306/land", {**ACCOUNT, "tls": {"ca": ENV}}, True),
        ("mysql://db.example/land", {}, False),
        ("mysql://user@db.example/land", {**ACCOUNT}, False),
        ("https://db.example/land", {**ACCOUNT}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": "DELETE FROM land_deed WHERE pid = :identifier"}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": f"{QUERY}; DROP TABLE land_deed"}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": f"{QUERY} -- and more"}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": f"{QUERY} /* and more */"}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": "SELECT pid FROM land_deed WHERE pid = '9'"}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": f"{QUERY} AND rai = :rai"}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "query": QUERY.replace(":identifier", "':identifier'")}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "connections": 0}, False),
        ("postgresql://db.example/land", {**ACCOUNT, "write": True}, False),
        ("postgresql://db.example/land", {"account": {"username": "land", "password": "secret"}}, False),
    ],
)
def test_settings(endpoint: str, settings: dict[str, Any], good: bool) -> None:
    whole = {"query": QUERY, **settings}
    found = list(Form(SETTINGS_SCHEMA).findings(whole)) or list(check(endpoint, whole, {}))
    assert (not found) is good, found
