"""Works on bulk jobs: takes one under a lease, and does some of its targets in one transaction.

A worker that dies leaves its lease, and what it had done; the next one goes on behind it. One that was slow finds that
it has the lease no more, and does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.bulk_jobs import LONGEST_GRACE, BulkJob, BulkJobs, BulkState, ItemState
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import CLOCK_VARIES, SqlWords

#: Seconds that a lease lasts; each step renews it.
LEASE: Final = 15.0

#: Targets of one transaction at most.
STEP: Final = 50

#: Does a verb to a target inside of a transaction; returns None, or why it cannot be done.
Deed = Callable[[Any, BulkJob, str], str | None]


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did.

    Attributes:
      done: Targets that had their turn.
      wait: Seconds until the pace allows the next one.
      goes_on: False: the job has ended, was stopped, or somebody else has it.
    """

    done: int
    wait: float
    goes_on: bool


class BulkWork:
    """Works on jobs.

    Parameters:
      database: Where the tables are.
      deeds: How each verb is done.
      worker: Who has the lease: a name that no other process has.

    Every method raises Deferred when the database is away; calling it again is always safe.
    """

    def __init__(self, database: Database, deeds: Mapping[str, Deed], worker: str) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._jobs = BulkJobs(database)
        self._deeds = deeds
        self._worker = worker

    def take(self) -> BulkJob | None:
        """Return a job that is due and that nobody else works on, under a lease; None: there is none."""
        running = BulkState.RUNNING.value
        is_free = f"(state = ? AND {self._sql.ended('begins_at', LONGEST_GRACE)} OR state = ?) AND "
        is_free += f"({self._sql.ended('leased_until', LEASE)} OR leased_by = ?)"
        free = (BulkState.WAITING.value, running, self._worker)
        # No pace puts the next target further ahead than its own interval.
        is_due = f"(next_at <= $now OR next_at > $now + {CLOCK_VARIES:g} + coalesce(60.0 / pace, 0))"
        look = f"SELECT id FROM bulk_jobs WHERE {is_free} AND {is_due} ORDER BY next_at, begins_at LIMIT 1"  # noqa: S608
        found = self._database.run(lambda connection: self._sql.rows(connection, look, *free))
        if not found:  # nearly always: nobody is kept from writing for that
            return None
        sql = f"UPDATE bulk_jobs SET state = ?, leased_by = ?, leased_until = $now + ? WHERE id = ? AND {is_free}"  # noqa: S608
        values = (running, self._worker, LEASE, found[0][0], *free)
        taken = self._database.run(lambda connection: self._sql.run(connection, sql, *values))
        return self._jobs.get(found[0][0]) if taken else None

    def any_left(self) -> bool:
        """Return whether there are jobs that have not ended: they are due some time, or somebody works on them."""
        sql = "SELECT 1 FROM bulk_jobs WHERE state IN (?, ?) LIMIT 1"
        states = (BulkState.WAITING.value, BulkState.RUNNING.value)
        return bool(self._database.run(lambda connection: self._sql.rows(connection, sql, *states)))

    def step(self, job: BulkJob) -> Step:
        """Do some of its targets, as many as its pace allows now."""
        return self._database.transaction(lambda connection: self._step(connection, job))

    def release(self, job: BulkJob) -> None:
        """Let somebody else go on with a job."""
        sql = "UPDATE bulk_jobs SET leased_until = 0 WHERE id = ? AND leased_by = ?"
        self._database.run(lambda connection: self._sql.run(connection, sql, job.id, self._worker))

    def _step(self, connection: Any, job: BulkJob) -> Step:
        sql = "SELECT pace, next_at, $now FROM bulk_jobs WHERE id = ? AND state = ? AND leased_by = ? $lock"
        rows = self._sql.rows(connection, sql, job.id, BulkState.RUNNING.value, self._worker)
        if not rows:
            return Step(0, 0.0, goes_on=False)
        pace, next_at, now = rows[0]
        interval = 60.0 / pace if pace else 0.0
        # After a pause nothing is made up for: the pace is that of any minute.
        is_ahead = (next_at or 0.0) > now + interval + CLOCK_VARIES  # by a clock that has been set back since
        begin = now if is_ahead else max(next_at or 0.0, now - 1.0)
        allowed = STEP if not pace else min(STEP, math.floor((now - begin) / interval) + 1 if now >= begin else 0)
        targets = self._waiting(connection, job, allowed)
        for target in targets:
            self._do(connection, job, target)
        following = begin + len(targets) * interval
        sql = "UPDATE bulk_jobs SET next_at = ?, leased_until = $now + ? WHERE id = ?"
        self._sql.run(connection, sql, following, LEASE, job.id)
        if not targets and allowed:
            sql = "UPDATE bulk_jobs SET state = ?, ended_at = $now, leased_until = 0 WHERE id = ?"
            self._sql.run(connection, sql, BulkState.ENDED.value, job.id)
            return Step(0, 0.0, goes_on=False)
        return Step(len(targets), max(0.0, following - now), goes_on=True)

    def _waiting(self, connection: Any, job: BulkJob, limit: int) -> list[str]:
        sql = "SELECT target FROM bulk_items WHERE job_id = ? AND state = ? ORDER BY target LIMIT ?"
        return [row[0] for row in self._sql.rows(connection, sql, job.id, ItemState.WAITING.value, limit)]

    def _do(self, connection: Any, job: BulkJob, target: str) -> None:
        problem = self._deeds[job.verb](connection, job, target)
        state = ItemState.DONE if problem is None else ItemState.REFUSED
        sql = "UPDATE bulk_items SET state = ?, problem = ? WHERE job_id = ? AND target = ?"
        self._sql.run(connection, sql, state.value, problem, job.id, target)
