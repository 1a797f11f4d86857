"""What a gateway that serves holds: what it needs, and not what only a desk, a migration or PostgreSQL needs."""

from __future__ import annotations

from pathlib import Path

from tests.harness import RunningGateway

SERVE = """
import atexit, gc, sys
from gateway.cli import main
atexit.register(lambda: print(*sorted({name.partition(".")[0] for name in sys.modules}), gc.isenabled()))
sys.argv[1:] = ["serve"]
main()
"""


def test_serving_on_sqlite_loads_no_desk_no_migrations_and_no_other_database(tmp_path: Path) -> None:
    gateway = RunningGateway(tmp_path)
    gateway.program = SERVE
    gateway.initialise()
    gateway.start()
    gateway.stop()
    *loaded, collecting = (gateway.output / "stdout.1").read_text().split()
    assert {"gateway", "fastapi", "uvicorn", "sqlite3"} <= set(loaded)
    assert not {"alembic", "sqlalchemy", "psycopg", "pymysql", "lxml", "httpx", "rich"} & set(loaded)
    assert collecting == "True"
