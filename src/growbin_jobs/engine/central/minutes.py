"""Figures of each minute: how many runs of which actor ended how, how long they waited and how long they took.

Charts and totals read these, so they survive restarts and cost the same however many tasks there are. Any keeper of the
cluster computes a minute; it is computed anew, always from all its runs, when a node tells of one of them later.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.error_counts import ErrorCounts
from growbin_jobs.engine.central.fields import JsonField, UtcField, storable, stored_moment, utc_moment
from growbin_jobs.engine.central.minutes_due import MINUTE, MinuteDueRow
from growbin_jobs.engine.central.rollup import SPANS
from growbin_jobs.engine.central.sql_words import SqlWords

#: Upper ends of the histograms' buckets in seconds; the last bucket has no end.
BOUNDS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1800.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
)  # fmt: skip


class TaskMinuteRow(peewee.Model):
    """Table ``task_minutes``. ``migrations/`` creates it; a test holds the two together."""

    minute = UtcField()
    queue_name = peewee.TextField()
    task_name = peewee.TextField()
    outcome = peewee.TextField()
    runs = peewee.BigIntegerField()
    waits = peewee.BigIntegerField()
    wait_seconds = peewee.DoubleField()
    run_seconds = peewee.DoubleField()
    wait_buckets = JsonField()
    run_buckets = JsonField()

    class Meta:
        table_name = "task_minutes"
        primary_key = peewee.CompositeKey("minute", "queue_name", "task_name", "outcome")


class TaskMinute(NamedTuple):
    """The runs of one actor that ended in one way, within a minute or a longer time.

    Attributes:
      minute: When that time began, UTC.
      outcome: ``completed``, or as in ``task_attempts``: ``failed``, ``deferred``, ``dead``, ``crashed``.
      waits: How many of the runs were their message's first; only those tell how long a message waited. Where its
        sender asked for a delay, that is a part of the wait.
      wait_seconds, run_seconds: Sums.
      wait_buckets, run_buckets: How many lie below each of :data:`BOUNDS`, and above the bound before.
    """

    minute: datetime
    queue_name: str
    task_name: str
    outcome: str
    runs: int
    waits: int
    wait_seconds: float
    run_seconds: float
    wait_buckets: list[int]
    run_buckets: list[int]

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return self._asdict() | {"minute": self.minute.isoformat()}


#: Names of figures, as in their tables; what stands before them is their time.
FIGURES: Final = TaskMinute._fields[1:]


def percentile(buckets: Sequence[int], share: float) -> float | None:
    """Return below how many seconds a share of all lies, by straight lines within the buckets; None: there are none.

    Parameters:
      share: Such as 0.95.
    """
    wanted, below = share * sum(buckets), 0.0
    if not sum(buckets):
        return None
    for number, count in enumerate(buckets):
        if count and below + count >= wanted:
            low = BOUNDS[number - 1] if number else 0.0
            high = BOUNDS[number] if number < len(BOUNDS) else low
            return low + (high - low) * (wanted - below) / count
        below += count
    return BOUNDS[-1]


class Minutes:
    """The only writer of ``task_minutes``.

    Parameters:
      database: Where the tables are.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._words = SqlWords(database.dialect)
        self._figures = _FIGURES[database.dialect]
        self._errors = ErrorCounts(database)

    def compute_due(self, *, now: datetime, kept: timedelta, limit: int = 200) -> int:
        """Compute minutes that are over and of which something is new, oldest first, and the hours of their errors.

        Parameters:
          kept: How long ``tasks`` surely has all its rows. What comes for a minute before is not counted any more:
            the others of that minute may be gone.
          limit: Minutes at most.

        Returns:
          How many were computed.
        """
        row = MinuteDueRow
        over = row.select(row.minute).where(row.minute < now - MINUTE).order_by(row.minute).limit(limit)
        due = [each["minute"] for each in self.database.rows(over)]
        computed = 0
        for at in due:
            computed += self.database.transaction(partial(self._compute, minute=at, kept_from=now - kept))
        self._errors.compute_hours(now=now)
        return computed

    def read(
        self,
        since: datetime,
        until: datetime,
        *,
        step: timedelta = MINUTE,
        queue: str | None = None,
        actor: str | None = None,
    ) -> list[TaskMinute]:
        """Return the figures of a time, in order. Where nothing ended there is no row.

        Parameters:
          since, until: From the one, to before the other.
          step: Figures of so long a time are put together: whole minutes, counted from 1970 on.
        """
        wanted, values = "minute >= ? AND minute < ?", [*map(stored_moment, (since, until))]
        for column, name in (("queue_name", queue), ("task_name", actor)):
            if name is not None:
                wanted, values = f"{wanted} AND {column} = ?", [*values, storable(name)]
        # Not by peewee, which takes five times as long for a row.
        sql = f"SELECT minute, {figure_columns(self.database.dialect)} FROM task_minutes WHERE {wanted} ORDER BY minute"  # noqa: S608 our names
        rows = self.database.run(lambda connection: self._words.rows(connection, sql, *values))
        found = views(rows)
        return found if step <= MINUTE else together(found, step)

    def _compute(self, connection: peewee.Database, minute: datetime, kept_from: datetime) -> int:
        at = stored_moment(minute)
        # Who holds the note computes; what is copied meanwhile waits with its own note until it is deleted.
        if not self._words.rows(connection, "SELECT 1 FROM minutes_due WHERE minute = ? $free", at):
            return 0
        if minute >= kept_from:
            until = stored_moment(minute + MINUTE)
            found = _folded(minute, self._words.rows(connection, self._figures, at, until, at, until))
            TaskMinuteRow.delete().where(TaskMinuteRow.minute == minute).execute(connection)
            if found:
                TaskMinuteRow.insert_many([each._asdict() for each in found]).execute(connection)
            self._errors.compute_minute(connection, minute)
            SPANS.touch(connection, self.database.dialect, minute)
        self._words.run(connection, "DELETE FROM minutes_due WHERE minute = ?", at)
        return 1


def figure_columns(dialect: Dialect) -> str:
    """Return the columns of figures, without their time, as a statement reads them for :func:`views`."""
    if dialect == "sqlite":
        return ", ".join(FIGURES)
    # As text, which the driver need not ask us about.
    return ", ".join(f"{name}::text AS {name}" if name.endswith("_buckets") else name for name in FIGURES)


def views(rows: Sequence[Sequence[Any]]) -> list[TaskMinute]:
    """Return figures of rows that begin with their time and go on as :func:`figure_columns` says."""
    # All histograms are parsed at once: one by one that took a third of the time of an overview.
    buckets = iter(json.loads(f"[{','.join(text for row in rows for text in row[8:])}]"))
    moments = {minute: utc_moment(minute) for minute in {row[0] for row in rows}}
    found = []
    for minute, queue, actor, outcome, runs, waits, wait_seconds, run_seconds, *_ in rows:
        at = moments[minute]
        assert at is not None
        its = (queue, actor, outcome, runs, waits, wait_seconds, run_seconds, next(buckets), next(buckets))
        found.append(TaskMinute(at, *its))
    return found


def _folded(minute: datetime, rows: Iterable[Sequence[Any]]) -> list[TaskMinute]:
    groups: dict[tuple[str, str, str], list[Sequence[Any]]] = defaultdict(list)
    for queue, actor, outcome, *rest in rows:
        groups[queue, actor, outcome].append(rest)
    found = []
    for (queue, actor, outcome), parts in groups.items():
        wait_buckets, run_buckets = _empty(), _empty()
        for wait_bucket, run_bucket, runs, *_ in parts:
            if wait_bucket is not None:
                wait_buckets[wait_bucket] += runs
            if run_bucket is not None:
                run_buckets[run_bucket] += runs
        found.append(
            TaskMinute(
                minute=minute,
                queue_name=queue,
                task_name=actor,
                outcome=outcome,
                runs=sum(part[2] for part in parts),
                waits=sum(wait_buckets),
                wait_seconds=sum(part[3] or 0.0 for part in parts),
                run_seconds=sum(part[4] or 0.0 for part in parts),
                wait_buckets=wait_buckets,
                run_buckets=run_buckets,
            )
        )
    return found


def together(minutes: Iterable[TaskMinute], step: timedelta) -> list[TaskMinute]:
    """Return figures put together over a longer time.

    Parameters:
      step: Whole minutes, counted from 1970 on.
    """
    seconds = max(1, int(step / MINUTE)) * 60
    begins: dict[datetime, datetime] = {}
    parts: defaultdict[tuple[datetime, str, str, str], list[TaskMinute]] = defaultdict(list)
    for each in minutes:
        if each.minute not in begins:
            begins[each.minute] = each.minute - timedelta(seconds=each.minute.timestamp() % seconds)
        parts[begins[each.minute], each.queue_name, each.task_name, each.outcome].append(each)
    # Most are one part that is as long as that already: figures of five minutes for a page of hours.
    return [its[0] if len(its) == 1 and its[0].minute == key[0] else _sum(*key, its) for key, its in parts.items()]


def _sum(minute: datetime, queue: str, actor: str, outcome: str, parts: Sequence[TaskMinute]) -> TaskMinute:
    return TaskMinute(
        minute=minute, queue_name=queue, task_name=actor, outcome=outcome, runs=sum(each.runs for each in parts),
        waits=sum(each.waits for each in parts), wait_seconds=sum(each.wait_seconds for each in parts),
        run_seconds=sum(each.run_seconds for each in parts), wait_buckets=added([each.wait_buckets for each in parts]),
        run_buckets=added([each.run_buckets for each in parts]),
    )  # fmt: skip


def added(buckets: Iterable[Sequence[int]]) -> list[int]:
    """Return the sum of histograms; empty where there are none."""
    return list(map(sum, zip(*buckets, strict=True)))


def bucket_of(seconds: float) -> int:
    """Return in which bucket a time lies."""
    return bisect_right(BOUNDS, seconds)


def _empty() -> list[int]:
    return [0] * (len(BOUNDS) + 1)


# --- the statement


def _figures(dialect: Dialect) -> str:
    def seconds(since: str, until: str) -> str:
        if dialect == "sqlite":
            return f"max(unixepoch({until}, 'subsec') - unixepoch({since}, 'subsec'), 0.0)"
        passed = f"extract(epoch FROM {until} - {since})::float8"
        return f"CASE WHEN {since} IS NOT NULL THEN greatest({passed}, 0) END"  # greatest() takes NULL for nothing

    def bucket(value: str) -> str:
        steps = " ".join(f"WHEN {value} < {bound} THEN {number}" for number, bound in enumerate(BOUNDS))
        return f"CASE WHEN {value} IS NULL THEN NULL {steps} ELSE {len(BOUNDS)} END"

    # Of a task that has not completed, the runs are in task_attempts.
    return f"""
        SELECT queue_name, task_name, outcome, {bucket("waited")}, {bucket("took")}, count(*), sum(waited), sum(took)
        FROM (
            SELECT queue_name, task_name, status AS outcome,
                CASE WHEN retry_count = 0 AND deferrals = 0 THEN {seconds("created_at", "started_at")} END AS waited,
                {seconds("started_at", "completed_at")} AS took
            FROM tasks WHERE completed_at >= ? AND completed_at < ?
                AND status NOT IN ('pending', 'running', 'failed', 'dead')
            UNION ALL
            SELECT queue_name, task_name, outcome, waited, {seconds("started_at", "ended_at")}
            FROM task_attempts WHERE ended_at >= ? AND ended_at < ?
        ) AS ended
        GROUP BY 1, 2, 3, 4, 5
    """  # noqa: S608 constants only


_FIGURES: Final[dict[Dialect, str]] = {"sqlite": _figures("sqlite"), "postgresql": _figures("postgresql")}
