"""The ends of runs in a short time, one row each: what an overview adds up where no roll-ups are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords

#: Rows that are read at most, the newest.
WINDOW: Final = 20_000

#: How long before the time that is asked for a task may have been created.
LEAD: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of a task that has ended; ``at`` and ``wait``, ``run`` in seconds."""

    at: float
    actor: str
    queue: str
    state: str
    wait: float | None
    run: float | None


def recent_runs(database: Database, since: datetime, until: datetime) -> tuple[list[Run], bool]:
    """Return the runs that ended in a time, of tasks that were created in it or in the hour before.

    Returns:
      The runs, and whether there were more than are read.

    Raises:
      Deferred: The database is away.
    """
    words, moments = SqlWords(database.dialect), UtcField()
    sql = (
        "SELECT task_name, queue_name, status, created_at, started_at, completed_at FROM tasks"
        " WHERE created_at >= ? AND created_at < ? AND completed_at >= ? AND completed_at < ?"
        " ORDER BY created_at DESC LIMIT ?"
    )
    bounds = [moments.db_value(each) for each in (since - LEAD, until, since, until)]
    rows = database.run(lambda connection: words.rows(connection, sql, *bounds, WINDOW + 1))
    found = []
    for actor, queue, state, *times in rows[:WINDOW]:
        created, started, ended = (moments.python_value(each) for each in times)
        assert created is not None
        assert ended is not None
        wait = max(0.0, (started - created).total_seconds()) if started else None
        run = max(0.0, (ended - started).total_seconds()) if started else None
        found.append(Run(ended.timestamp(), actor, queue, state, wait, run))
    return found, len(rows) > WINDOW
