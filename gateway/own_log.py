"""Whether a database holds the log that the settings name: what is found wrong with it before a gateway starts."""

from __future__ import annotations

from gateway.exchangelog.checkpoints import latest_in
from gateway.settings import Settings
from gateway.store import Connection


class NotInitialised(Exception):
    """The state directory or the database was never set up; `linkage init` does it. `thai`: the same in Thai."""

    def __init__(self, english: str, thai: str) -> None:
        super().__init__(english)
        self.thai = thai


class OtherLog(Exception):
    """The log in the database goes by another name than the settings give it: signed on under both, it would fork."""


def require_own_log(settings: Settings) -> None:
    """OtherLog where the log in the database is not called what the settings say; NotInitialised where none was begun.

    A database has tables and nothing in them where a restore was refused.
    """
    connection = Connection(settings.database, read_only=True)
    try:
        latest = latest_in(connection)
        founded = bool(connection.rows("SELECT 1 FROM registers LIMIT 1"))
    finally:
        connection.close()
    if latest is None and not founded:
        raise NotInitialised(
            "the database is empty: run `linkage init`, or `linkage restore`, first",
            "ฐานข้อมูลว่างเปล่า เรียก `linkage init` หรือ `linkage restore` ก่อน",
        )
    if latest is not None and latest.origin != settings.origin:
        raise OtherLog(
            f"the log in this database is called {latest.origin}, and by LINKAGE_ISSUER or LINKAGE_LOG_ORIGIN it would "
            f"be {settings.origin}: a log keeps its name"
        )
