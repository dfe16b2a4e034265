"""Marks of the topics that open pages follow: cheap questions to the database whose answer differs after a change."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from growbin_jobs.monitor.services import Services

#: The table of each topic, and of some an indexed column that grows: PostgreSQL's statistics may lag some seconds.
_TABLES: Final = {
    "tasks": ("tasks", "created_at"),
    "analyses": ("waste_analysis", "created_at"),
    "workers": ("workers", "seen_at"),
    "limits": ("limit_minute", "minute"),
    "health": ("health_events", "at"),
    "schedule": ("schedule_ledger", "due"),
    "audit": ("audit", "number"),
}

_STATISTICS: Final = "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = %s"


def marks_of(services: Services) -> dict[str, Callable[[], Any]]:
    """Return the marks of all topics.

    On SQLite every topic has the same one, the time of the last write to the file: whatever was written, pages
    ask anew.
    """
    if services.database.dialect == "postgresql":
        return {topic: partial(_counted, services, *table) for topic, table in _TABLES.items()}
    return dict.fromkeys(_TABLES, partial(_written, services))


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
