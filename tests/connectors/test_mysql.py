"""The kind `sql` on MariaDB: a real server where one runs on loopback port 3306, else skipped.

What needs no server (what grants mean, where it may connect to) runs everywhere.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pymysql
import pytest
from sandboxes import some

from connectors.population_files import files_of
from connectors.sql_mysql import _reads_only
from gateway.conformance import CHECKS, Case, NotApplicable
from gateway.conformance.between import between
from gateway.errors import AgencyMisbehaved, AgencyTimeout, AgencyUnavailable
from tests.connectors.test_sql_kind import land

OWNER = some(lambda one: len(files_of(one).deeds) == 2)
OTHER = some(lambda one: files_of(one).deeds, but=OWNER.citizen_id)
COLUMNS = "pid, deed_no, land_no, survey_no, province_code, rai, ngan, wah"
TABLE = """CREATE TABLE land_deed (pid CHAR(13), deed_no VARCHAR(20), land_no VARCHAR(20), survey_no VARCHAR(60),
    province_code INT, rai INT, ngan INT, wah VARCHAR(20)) DEFAULT CHARSET tis620"""
QUERY = f"SELECT {COLUMNS} FROM land_deed WHERE pid = :identifier ORDER BY deed_no"
ACCOUNT = {"username": {"env": "SOURCE_DOL__USERNAME"}, "password": {"env": "SOURCE_DOL__PASSWORD"}}


def administrator() -> Any:
    return pymysql.connect(host="127.0.0.1", port=3306, user="root", password="", autocommit=True, connect_timeout=3)


class Server:
    """A database and an account of this test's own."""

    def __init__(self) -> None:
        self.name = f"linkage_test_{secrets.token_hex(4)}"
        self.user, self.password = f"lk_{secrets.token_hex(4)}", secrets.token_hex(8)
        self.do(f"CREATE DATABASE {self.name}")
        self.do(f"CREATE USER '{self.user}'@'%' IDENTIFIED BY '{self.password}'")
        self.do(f"GRANT SELECT ON {self.name}.* TO '{self.user}'@'%'")
        self.do(f"USE {self.name}", TABLE)
        rows = [
            (owner.citizen_id, deed.number, deed.land, "ระวาง", 6, 1, 2, "50.5")
            for owner in (OWNER, OTHER)
            for deed in (_Deed(f"{100 + i}", f"{200 + i}") for i in range(2 if owner is OWNER else 1))
        ]
        with administrator() as connection, connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {self.name}.land_deed VALUES ({', '.join(['%s'] * 8)})", rows)

    def do(self, *statements: str) -> list[Any]:
        with administrator() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def drop(self) -> None:
        self.do(f"DROP DATABASE {self.name}", f"DROP USER '{self.user}'@'%'")

    def secret(self, reference: str) -> str:
        return {"USERNAME": self.user, "PASSWORD": self.password}[reference.rpartition("__")[2]]


class _Deed:
    def __init__(self, number: str, land_no: str) -> None:
        self.number, self.land = number, land_no


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        administrator().close()
    except pymysql.Error:
        if os.environ.get("LINKAGE_TEST_MARIADB"):  # CI that has one says so: then a skip would hide a fault
            raise
        pytest.skip("no MariaDB or MySQL on 127.0.0.1:3306 that lets root in without a password")
    made = Server()
    yield made
    made.drop()


def case_at(url: str, secret: Callable[[str], str], **settings: Any) -> Case:
    case = land("postgresql://127.0.0.1/x", secret)
    connector = case.service.connector
    own = {**connector["settings"], "query": QUERY, "account": ACCOUNT, **settings}
    own.pop("folder", None)
    changed = {**connector, "endpoint": url, "settings": own}
    return replace(
        case, name="dol on MariaDB", service=replace(case.service, connector=changed), other=OTHER.citizen_id
    )


def mariadb(server: Server, **settings: Any) -> Case:
    return case_at(f"mysql://127.0.0.1:3306/{server.name}", server.secret, **settings)


@pytest.mark.parametrize("check_name", CHECKS)
async def test_conformance_on_mariadb(server: Server, check_name: str) -> None:
    try:
        await CHECKS[check_name](mariadb(server))
    except NotApplicable as why:
        pytest.skip(str(why))


async def test_text_of_a_tis_620_table_is_read_as_it_is_meant(server: Server) -> None:
    case = mariadb(server)
    async with case.opened() as connector:
        record = await connector.fetch(case.ask(case.right))
    assert [deed["survey_sheet"] for deed in record.data["deeds"]] == ["ระวาง"] * 2


@pytest.mark.parametrize(
    "grant",
    [
        "GRANT INSERT ON {db}.land_deed TO {user}",
        "GRANT UPDATE (rai) ON {db}.land_deed TO {user}",
        "GRANT EXECUTE ON {db}.* TO {user}",
        "GRANT FILE ON *.* TO {user}",
        "GRANT ALL PRIVILEGES ON {db}.* TO {user}",
        "GRANT SELECT ON {db}.* TO {user} WITH GRANT OPTION",
    ],
)
async def test_an_account_that_can_write_is_not_used(server: Server, grant: str) -> None:
    user = f"'{server.user}'@'%'"
    server.do(grant.format(db=server.name, user=user))
    try:
        case = mariadb(server)
        async with case.opened() as connector:
            error = await case.failure(connector, case.right)
        assert (type(error), getattr(error, "fault", "")) == (AgencyMisbehaved, "account_can_write")
    finally:
        server.do(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}", f"GRANT SELECT ON {server.name}.* TO {user}")
    async with case.opened() as connector:
        await connector.fetch(case.ask(case.right))


async def test_a_role_is_not_looked_into(server: Server) -> None:
    role = f"r_{secrets.token_hex(4)}"
    server.do(f"CREATE ROLE {role}", f"GRANT {role} TO '{server.user}'@'%'")
    try:
        case = mariadb(server)
        async with case.opened() as connector:
            error = await case.failure(connector, case.right)
        assert getattr(error, "fault", "") == "account_can_write"
    finally:
        server.do(f"DROP ROLE {role}")


async def test_a_long_query_is_ended_in_the_database_too(server: Server) -> None:
    slow = f"SELECT {COLUMNS} FROM land_deed WHERE pid = :identifier AND SLEEP(30) = 0"
    running = f"SELECT id FROM information_schema.processlist WHERE user = '{server.user}' AND info LIKE '%SLEEP(30)%'"
    case = mariadb(server, query=slow, statement_seconds=1)
    async with case.opened() as connector:
        assert isinstance(await case.failure(connector, case.right, 15), AgencyTimeout)
        waiting = asyncio.create_task(case.failure(connector, case.right, 0.7))
        async with asyncio.timeout(20):
            while not server.do(running):
                await asyncio.sleep(0.02)
            assert isinstance(await waiting, AgencyTimeout)
            while server.do(running):  # ends though nobody waits for it any more
                await asyncio.sleep(0.1)


async def test_the_session_itself_cannot_write(server: Server) -> None:
    """Beneath the account's rights: even an account that was given more a moment ago."""
    case = mariadb(server)
    async with case.opened() as connector:
        await connector.fetch(case.ask(case.right))
        held = connector._engine.raw_connection()  # type: ignore[attr-defined]
        try:
            server.do(f"GRANT INSERT ON {server.name}.* TO '{server.user}'@'%'")
            with held.cursor() as cursor, pytest.raises(pymysql.Error) as refused:
                cursor.execute(f"INSERT INTO {server.name}.land_deed VALUES (1, 2, 3, 4, 5, 6, 7, 8)")
            assert refused.value.args[0] in (1792, 1142)
        finally:
            held.close()
            server.do(f"REVOKE INSERT ON {server.name}.* FROM '{server.user}'@'%'")


async def test_a_wrong_password_and_a_missing_table(server: Server) -> None:
    wrong = case_at(f"mysql://127.0.0.1:3306/{server.name}", lambda reference: server.user)
    async with wrong.opened() as connector:
        error = await wrong.failure(connector, wrong.right)
    assert (type(error), getattr(error, "fault", "")) == (AgencyMisbehaved, "credentials")
    gone = mariadb(server, query="SELECT pid FROM no_such_table WHERE pid = :identifier")
    async with gone.opened() as connector:
        assert getattr(await gone.failure(connector, gone.right), "fault", "") in ("query", "credentials")


async def test_which_exchange_a_query_belongs_to_is_behind_it(server: Server) -> None:
    # What the server has of a statement while it runs, as its general log would.
    query = QUERY.replace("survey_no", "(SELECT info FROM information_schema.processlist WHERE id = CONNECTION_ID()) s")
    case = mariadb(server, query=query.replace(" s,", " AS survey_no,"))
    async with case.opened() as connector:
        record = await connector.fetch(replace(case.ask(case.right), introduce=lambda: "aaa.bbb.ccc"))
    assert record.data["deeds"][0]["survey_sheet"].endswith("/* Linkage-Exchange: aaa.bbb.ccc */")


# -- what needs no server of its own --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grant", "reads_only"),
    [
        ("GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*0123'", True),
        ("GRANT SELECT, SHOW VIEW ON `land`.* TO `a`@`%`", True),
        ("GRANT SELECT (`pid`, `rai`) ON `land`.`deed` TO `a`@`%`", True),
        ("GRANT SELECT (`pid`), UPDATE (`rai`) ON `land`.`deed` TO `a`@`%`", False),
        ("GRANT SELECT, INSERT ON `land`.* TO `a`@`%`", False),
        ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", False),
        ("GRANT SELECT ON *.* TO `a`@`%` WITH GRANT OPTION", False),
        ("GRANT PROXY ON ''@'' TO 'a'@'%'", False),
        ("GRANT `writer` TO `a`@`%`", False),
        ("GRANT EXECUTE ON PROCEDURE `land`.`p` TO `a`@`%`", False),
        ("SET DEFAULT ROLE `r` FOR `a`@`%`", False),
        ("GRANT SUPER_USER_ADMIN ON *.* TO `a`@`%`", False),
        ("", False),
    ],
)
def test_what_is_not_understood_counts_as_leave_to_write(grant: str, reads_only: bool) -> None:
    assert _reads_only(grant) is reads_only


async def test_the_address_is_checked_and_is_the_one_connected_to() -> None:
    async with between(("127.0.0.1", 1), http=False) as stand:
        case = case_at(f"mysql://127.0.0.1:{stand.port}/land", lambda reference: "x")
        async with case.opened(allowed=False) as connector:
            error = await case.failure(connector, case.right)
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "address_not_allowed")
    assert stand.made == 0
