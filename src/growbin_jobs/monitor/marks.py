"""Marks of the topics that open pages follow: cheap questions to the database whose answer differs after a change."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from growbin_jobs.engine.central.fields import stored_moment
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.workers import SILENCE
from growbin_jobs.monitor.services import Part, Services

#: The table of each topic, and of some an indexed column that grows: PostgreSQL's statistics may lag some seconds.
_TABLES: Final = {
    "tasks": ("tasks", "created_at"),
    "workers": ("workers", "seen_at"),
    "audit": ("audit", "number"),
}
_OF_PARTS: Final = {
    Part.SCHEDULE: {"schedule": ("schedule_ledger", "due")},
    Part.GROWBIN: {
        "analyses": ("waste_analysis", "created_at"),
        "limits": ("limit_minute", "minute"),
        "health": ("health_events", "at"),
    },
}

#: What pages of these topics show changes, too, when a node falls silent: nobody writes then.
_WITH_SILENCE: Final = ("tasks", "workers")

_SILENT: Final = "SELECT count(*), max(seen_at) FROM workers WHERE stopped_at IS NULL AND seen_at < ?"

_STATISTICS: Final = "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = %s"


def marks_of(services: Services) -> dict[str, Callable[[], Any]]:
    """Return the marks of all topics.

    On SQLite every topic has the same one, the time of the last write to the file: whatever was written, pages
    ask anew.
    """
    on_postgresql = services.database.dialect == "postgresql"
    marks: dict[str, Callable[[], Any]] = {}
    tables = dict(_TABLES)
    for part in services.parts:
        tables |= _OF_PARTS.get(part, {})
    for topic, table in tables.items():
        written = partial(_counted, services, *table) if on_postgresql else partial(_written, services)
        marks[topic] = partial(_with_silent, services, written) if topic in _WITH_SILENCE else written
    return marks


def _with_silent(services: Services, written: Callable[[], Any]) -> Any:
    before, words = stored_moment(datetime.now(UTC) - SILENCE), SqlWords(services.database.dialect)
    silent = services.database.run(lambda connection: words.rows(connection, _SILENT, before))
    return written(), silent


def _counted(services: Services, table: str, column: str) -> Any:
    newest = f"SELECT max({column}) FROM {table}"  # noqa: S608 both are of the table above

    def work(connection: Any) -> Any:
        counts = connection.execute_sql(_STATISTICS, (table,)).fetchone()
        return counts, connection.execute_sql(newest).fetchone()

    return services.database.run(work)


def _written(services: Services) -> Any:
    def work(connection: Any) -> Any:
        return connection.execute_sql("PRAGMA database_list").fetchone()

    _, _, file = services.database.run(work)
    times = []
    for path in (file, f"{file}-wal"):
        with suppress(OSError):
            times.append(os.stat(path).st_mtime_ns)
    return times
