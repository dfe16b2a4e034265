"""PostgreSQL is restored from a backup while the journals of the nodes live on: what it lacks then, they bring back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from growbin_jobs.engine.central.upgrade import check, upgrade
from growbin_jobs.engine.errors import Away, ConfigurationError
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

#: The same numbers and texts, whoever copies them: all that is known of each task, its attempts and its dead letter.
KNOWN = """
    SELECT task_id, status, retry_count, payload, result, started_at, completed_at,
        (SELECT count(*) FROM task_attempts a WHERE a.task_id = tasks.task_id),
        (SELECT string_agg(d.code, ',') FROM dead_letters d WHERE d.task_id = tasks.task_id)
    FROM tasks ORDER BY task_id
"""


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_what_was_done_after_the_backup_comes_back_from_the_journal(
    postgres_server: dict[str, Any],
    postgres_url: str,
    rabbitmq_url: str,
    start_product: Callable[..., Any],
    tmp_path: Path,
) -> None:
    binaries, dump = Path(postgres_server["psql"]).parent, tmp_path / "backup"
    with closing(central_database(load(database_url=postgres_url))) as database:
        upgrade(database, SCHEMA)
    product = start_product(GROWBIN_BROKER_URL=rabbitmq_url, DATABASE_URL=postgres_url)

    def copied(status: str, number: int) -> Callable[[], bool]:
        query = f"SELECT count(*) FROM tasks WHERE status = '{status}'"
        return lambda: ask(postgres_url, query) == [(number,)]

    product.send("before")
    product.until(copied("completed", 1), "the first one is copied")
    began = datetime.now(UTC)
    subprocess.run([binaries / "pg_dump", "--format", "custom", "--file", dump, postgres_url], check=True)

    product.send("after")
    product.until(copied("completed", 2), "the second one is copied")
    product.broken.touch()
    product.send("given up")
    product.until(copied("dead", 1), "the dead one is copied")
    letters = "SELECT count(*) FROM dead_letters"
    product.until(lambda: ask(postgres_url, letters) == [(1,)], "its letter is copied")
    before = ask(postgres_url, KNOWN)

    name = postgres_url.rpartition("/")[2]
    with closing(psycopg2.connect(postgres_server["url"])) as connection:
        connection.autocommit = True
        for statement in (f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}"):
            connection.cursor().execute(statement)
    subprocess.run([binaries / "pg_restore", "--single-transaction", "--dbname", postgres_url, dump], check=True)
    product.send("meanwhile")  # the keeper goes on with what is new, and knows of nothing else
    product.until(copied("dead", 1), "the one after the restore is copied")
    assert copied("completed", 1)()

    [done] = product.command("journal", "sync", "--again-since", began.isoformat())
    assert (done["refused"], done["left"]) == (0, 0)
    product.until(lambda: len(ask(postgres_url, KNOWN)) == 4, "all are there")

    found = ask(postgres_url, KNOWN)
    assert [row for row in found if row[0] in {known[0] for known in before}] == before
    assert product.runs.read_text().split("\n")[:4] == ["before", "after", "given up", "meanwhile"]


def test_what_comes_while_keys_are_still_to_be_restored_waits(upgraded_postgres_url: str) -> None:
    with closing(central_database(load(database_url=upgraded_postgres_url))) as database:
        check(database, SCHEMA)
        database.run(lambda raw: raw.execute_sql("ALTER TABLE waste_analysis DROP CONSTRAINT waste_analysis_pkey"))
        with pytest.raises(Away, match="being restored"):
            Analyses(database).accept("a1", "u1")
        with pytest.raises(ConfigurationError, match=r"waste_analysis lack.*pg_restore --single-transaction"):
            check(database, SCHEMA)
