"""The ends of the last minutes, of which nobody has made figures yet: in the form of the figures of a minute."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.minutes import BOUNDS, TaskMinute, bucket_of
from growbin_jobs.engine.central.sql_words import SqlWords

#: Rows that are read at most, the newest.
WINDOW: Final = 20_000

_SQL: Final = (
    "SELECT task_name, queue_name, status, created_at, started_at, completed_at, retry_count, deferrals FROM tasks"
    " WHERE completed_at >= ? AND completed_at < ? ORDER BY completed_at DESC LIMIT ?"
)


def recent_runs(database: Database, since: datetime, until: datetime) -> tuple[list[TaskMinute], bool]:
    """Return the last runs of tasks that ended in a time, by minute, queue, actor and outcome.

    Parameters:
      since, until: From the one to before the other, aware.

    Returns:
      The figures, and whether there were more runs than are read.

    Raises:
      Deferred: The database is away.
    """
    words, moments = SqlWords(database.dialect), UtcField()
    bounds = (moments.db_value(since), moments.db_value(until), WINDOW + 1)
    rows = database.run(lambda connection: words.rows(connection, _SQL, *bounds))
    groups: defaultdict[tuple[datetime, str, str, str], _Sums] = defaultdict(_Sums)
    for actor, queue, state, *times, retries, deferrals in rows[:WINDOW]:
        created, started, ended = (moments.python_value(each) for each in times)
        assert created is not None
        assert ended is not None
        minute = datetime.fromtimestamp(int(ended.timestamp()) // 60 * 60, UTC)
        first = started is not None and not retries and not deferrals
        groups[minute, queue, actor, state].add(
            (started - created).total_seconds() if started and first else None,
            (ended - started).total_seconds() if started else None,
        )
    return [sums.figures(*key) for key, sums in sorted(groups.items())], len(rows) > WINDOW


class _Sums:
    """Adds up runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.seconds = {"wait": 0.0, "run": 0.0}
        self.buckets = {name: [0] * (len(BOUNDS) + 1) for name in self.seconds}

    def add(self, wait: float | None, run: float | None) -> None:
        self.runs += 1
        for name, value in (("wait", wait), ("run", run)):
            if value is not None:
                self.seconds[name] += max(0.0, value)
                self.buckets[name][bucket_of(max(0.0, value))] += 1

    def figures(self, minute: datetime, queue: str, actor: str, outcome: str) -> TaskMinute:
        values: dict[str, Any] = {f"{name}_buckets": buckets for name, buckets in self.buckets.items()}
        return TaskMinute(
            minute=minute, queue_name=queue, task_name=actor, outcome=outcome, runs=self.runs,
            waits=sum(self.buckets["wait"]), wait_seconds=self.seconds["wait"], run_seconds=self.seconds["run"],
            **values,
        )  # fmt: skip
