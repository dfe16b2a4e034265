"""Fills a database as a month of work leaves it: tasks with their runs, letters, analyses, requests, figures.

PostgreSQL makes the rows itself, without their indexes, which are made afterwards: five million go in within minutes.
Every row depends on its number alone, so that two runs fill the same.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.monitor.statements import (
    ANALYSES,
    ATTEMPTS,
    CAUSES,
    DAYS,
    GONE,
    LEDGER,
    LETTERS,
    MINUTES_DUE,
    PROMISES,
    QUEUE_MINUTES,
    REQUESTS,
    TASKS,
    WORKERS,
)
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_days import ErrorDays
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.spans import Spans
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.limits.usage_spans import make_spans
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.table import JOBS

#: Tasks of one statement.
BATCH = 250_000

#: The time that the rows are of.
SPAN = timedelta(days=30)

#: The end of the time of which keepers have made figures, and what a keeper makes of it at once.
FIGURES = timedelta(hours=24)

#: Tables that get more rows than one statement makes in a moment; their indexes are made afterwards.
_LARGE = ("tasks", "task_attempts", "dead_letters", "waste_analysis", "llm_usage", "schedule_ledger", "audit")

#: Who works, and what keepers have noted.
_WORKS = (WORKERS, GONE, MINUTES_DUE, QUEUE_MINUTES)

Statement = tuple[str, dict[str, Any]]


def filled(database: Database, tasks: int) -> datetime | None:
    """Return when :func:`fill` filled this database with so many tasks; None: it did not, or not to its end."""
    upgrade(database, SCHEMA)
    [(said,)] = _rows(database, "SELECT obj_description('tasks'::regclass)")
    mark, _, at = (said or "").rpartition(" at ")
    return datetime.fromisoformat(at) if mark == _mark(tasks) else None


def fill(database: Database, tasks: int, *, zone: str, told: Callable[[int], None] = lambda _: None) -> None:
    """Fill an empty database; the newest rows are of now.

    Parameters:
      zone: Of the days of paid requests.
      told: Called with the number of tasks that are in.
    """
    upgrade(database, SCHEMA)
    end = datetime.now(UTC)
    known = _known(tasks, end, end, zone) | {"first": 0, "last": tasks - 1, "since": end - FIGURES}
    indexes = _without_indexes(database)
    for first in range(0, tasks, BATCH):
        last = min(first + BATCH, tasks) - 1
        run(database, TASKS, known | {"first": first, "last": last})
        told(last + 1)
    for statement, values in _rest(known):
        run(database, statement, values)
    for definition in indexes:
        run(database, definition)
    run(database, "VACUUM ANALYZE")
    _figures(database, end)
    run(database, f"COMMENT ON TABLE tasks IS '{_mark(tasks)} at {end.isoformat()}'")
    run(database, "VACUUM ANALYZE")


def go_on(database: Database, tasks: int, *, since: datetime, zone: str) -> None:
    """Add what would have come since a database was filled: the last hour of a page is not empty.

    Parameters:
      since: When it was filled.
    """
    now = datetime.now(UTC)
    [(newest,)] = _rows(database, "SELECT max(seq) FROM tasks WHERE node LIKE 'node-_'")
    last = tasks + int((now - since) / (SPAN / tasks))
    known = _known(tasks, since, now, zone) | {"first": int(newest) + 1, "last": last, "since": since}
    for statement in (TASKS, ATTEMPTS, LETTERS, ANALYSES, REQUESTS, MINUTES_DUE, QUEUE_MINUTES):
        run(database, statement, known)
    run(database, "UPDATE workers SET seen_at = %(now)s WHERE stopped_at IS NULL", known)
    run(database, "VACUUM ANALYZE")
    _figures(database, now)


def _figures(database: Database, now: datetime) -> None:
    """Make what keepers make."""
    Minutes(database).compute_due(now=now, kept=SPAN, limit=10_000)
    Spans(database).compute_due(now=now, limit=10_000)
    ErrorDays(database).compute_due(now=now, limit=1000)
    make_spans(database, before=now.date() - timedelta(days=1))


def _known(tasks: int, end: datetime, now: datetime, zone: str) -> dict[str, Any]:
    yesterday = f"{now.astimezone(ZoneInfo(zone)) - timedelta(days=1):%Y-%m-%d}"  # only days before are added up
    return {"count": tasks, "end": end, "now": now, "span": SPAN, "zone": zone, "yesterday": yesterday}


def run(database: Database, statement: str, values: dict[str, Any] | None = None) -> None:
    """Run one statement, however long it takes."""

    def on(connection: Any) -> None:
        connection.execute_sql("SET statement_timeout = 0")
        connection.execute_sql("SET maintenance_work_mem = '1GB'")
        connection.connection().cursor().execute(statement, values)

    database.run(on)


def _rest(known: dict[str, Any]) -> Iterator[Statement]:
    for statement in (
        ATTEMPTS,
        LETTERS,
        CAUSES,
        ANALYSES,
        REQUESTS,
        *DAYS,
        PROMISES,
        WORKERS,
        GONE,
        MINUTES_DUE,
        QUEUE_MINUTES,
    ):
        yield statement, known
    for job in JOBS:
        if job.route is not None:
            every = getattr(job.when, "seconds", 86_400)
            yield LEDGER, known | {"job": job.name, "every": timedelta(seconds=every), "begin": known["end"] - SPAN}


def _without_indexes(database: Database) -> list[str]:
    """Drop the indexes of the large tables, keys included; return the statements that make them again."""
    names = "', '".join(_LARGE)
    keys = (
        "SELECT conrelid::regclass || '', conname, pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE contype = 'p' AND conrelid::regclass || '' IN ('{names}')"
    )
    others = f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('{names}')"
    made = []
    for table, name, definition in _rows(database, keys):
        run(database, f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        made.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for name, definition in _rows(database, others):
        run(database, f"DROP INDEX {name}")
        made.append(definition)
    return made


def _rows(database: Database, statement: str) -> list[tuple[str, ...]]:
    return list(database.run(lambda connection: connection.execute_sql(statement)).fetchall())


def _mark(tasks: int) -> str:
    return f"filled by scripts/bench monitor (3) with {tasks} tasks"
