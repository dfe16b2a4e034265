"""Jobs that do one thing to many tasks or dead letters: a frozen set, a pace, a lease; stopped, resumed, taken back.

A person makes a draft, whose set is frozen then, looks at it and starts it; until it begins it can be taken back. One
keeper at a time works on a job, under a lease: when it dies another one goes on (``engine/keeper/bulk.py``). What is
done to a target and that it was done are one transaction, so each target has its turn once.

Times are seconds since 1970 by the clock of the database: leases and paces need one clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.errors import Conflict, NotFound

#: Targets of one job at most.
MOST: Final = 100_000

#: Seconds after a start in which it can be taken back.
GRACE: Final = 30.0

#: Seconds of the longest one. A job that begins later was started by a clock that has been set back since.
LONGEST_GRACE: Final = 3600.0

_COLUMNS: Final = (
    "id, name, verb, filter, preview, by, reason, state, pace, created_at, begins_at, stopped_by, ended_at, leased_by"
)


class BulkState(StrEnum):
    """What has become of a job.

    ::

        draft ──> waiting ──> running ──> ended
                     │         │  ^
                     v         v  │
                  undone     stopped
    """

    DRAFT = "draft"
    WAITING = "waiting"
    RUNNING = "running"
    STOPPED = "stopped"
    ENDED = "ended"
    UNDONE = "undone"


class ItemState(StrEnum):
    """What has become of a target. ``refused``: it cannot be done; ``problem`` says why."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkJob:
    """A job.

    Attributes:
      verb: What it does to each: ``retry``, ``discard`` or ``run_again``.
      filter: How its set was chosen.
      preview: What was said of it before it began.
      pace: Targets a minute at most; None: as fast as it goes.
      begins_at: Until then it can be taken back; None: it is a draft.
      leased_by: Who works on it, or did last.
      waiting, done, refused: Targets.
    """

    id: str
    name: str
    verb: str
    filter: dict[str, Any]
    preview: dict[str, Any]
    by: str
    reason: str
    state: BulkState
    pace: float | None
    created_at: float
    begins_at: float | None
    stopped_by: str | None
    ended_at: float | None
    leased_by: str | None
    waiting: int
    done: int
    refused: int

    @property
    def total(self) -> int:
        """How many targets the frozen set has."""
        return self.waiting + self.done + self.refused


@dataclass(frozen=True, slots=True)
class Refused:
    """A target that cannot be done, and why."""

    target: str
    problem: str


class BulkJobs:
    """What people do with jobs. With ``BulkWork`` the only writer of ``bulk_jobs`` and ``bulk_items``.

    Parameters:
      database: Where the tables are.

    Every method raises Deferred when the database is away (:meth:`Database.run`).
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._sql = SqlWords(database.dialect)

    def draft(
        self,
        verb: str,
        targets: Iterable[str],
        refused: Mapping[str, str],
        *,
        filter_: Mapping[str, Any],
        preview: Mapping[str, Any],
        by: str,
    ) -> BulkJob:
        """Freeze a set.

        Parameters:
          targets: All of them.
          refused: Why some of them cannot be done, by target.
          filter_, preview: For people, ready for JSON.

        Raises:
          Conflict: There is nothing in it, or too much.
        """
        chosen = list(dict.fromkeys(targets))
        if not chosen:
            raise Conflict("Nothing fits, so there is nothing to do. Choose others.")
        if len(chosen) > MOST:
            raise Conflict(f"These are more than {MOST:,}: choose fewer, such as those of one actor or one day.")
        job_id = uuid4().hex[:12]
        texts = (json.dumps(dict(filter_)), json.dumps(dict(preview)))
        items = [
            (job_id, target, (ItemState.REFUSED if target in refused else ItemState.WAITING).value, refused.get(target))
            for target in chosen
        ]

        def write(connection: Any) -> None:
            sql = (
                "INSERT INTO bulk_jobs (id, name, verb, filter, preview, by, reason, state, created_at, leased_until)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, $now, 0)"
            )
            self._sql.run(connection, sql, job_id, "", verb, *texts, storable(by), "", BulkState.DRAFT.value)
            for start in range(0, len(items), 500):
                page = items[start : start + 500]
                rows = ", ".join(["(?, ?, ?, ?)"] * len(page))
                sql = f"INSERT INTO bulk_items (job_id, target, state, problem) VALUES {rows}"  # noqa: S608
                self._sql.run(connection, sql, *(value for item in page for value in item))

        self.database.transaction(write)
        return self.get(job_id)

    def start(
        self, job_id: str, *, name: str, pace: float | None, by: str, reason: str, grace: float = GRACE
    ) -> BulkJob:
        """Let a draft begin after the time in which it can be taken back.

        Raises:
          NotFound, Conflict: There is none, or it is no draft any more.
        """
        sql = (
            "UPDATE bulk_jobs SET state = ?, name = ?, pace = ?, by = ?, reason = ?, begins_at = $now + ?, next_at = 0"
            " WHERE id = ? AND state = ?"
        )
        values = (BulkState.WAITING.value, storable(name), pace, storable(by), storable(reason), grace, job_id)
        return self._change(job_id, sql, values, BulkState.DRAFT)

    def undo(self, job_id: str) -> BulkJob:
        """Take a job back that has not begun.

        Raises:
          NotFound, Conflict: There is none, or it is too late.
        """
        sql = "UPDATE bulk_jobs SET state = ?, ended_at = $now WHERE id = ? AND state = ?"
        return self._change(job_id, sql, (BulkState.UNDONE.value, job_id), BulkState.WAITING)

    def stop(self, job_id: str, *, by: str) -> BulkJob:
        """Let a running job rest behind the targets that it is at.

        Raises:
          NotFound, Conflict: There is none, or it does not run.
        """
        sql = "UPDATE bulk_jobs SET state = ?, stopped_by = ? WHERE id = ? AND state = ?"
        return self._change(job_id, sql, (BulkState.STOPPED.value, storable(by), job_id), BulkState.RUNNING)

    def resume(self, job_id: str) -> BulkJob:
        """Let a stopped job go on.

        Raises:
          NotFound, Conflict: There is none, or it is not stopped.
        """
        sql = "UPDATE bulk_jobs SET state = ?, stopped_by = NULL WHERE id = ? AND state = ?"
        return self._change(job_id, sql, (BulkState.RUNNING.value, job_id), BulkState.STOPPED)

    def get(self, job_id: str) -> BulkJob:
        """Return one.

        Raises:
          NotFound: There is none.
        """
        found = self._jobs("WHERE id = ?", job_id)
        if not found:
            raise NotFound(f"There is no bulk job {job_id}.")
        return found[0]

    def latest(self, *, drafts: bool = False, limit: int = 50) -> list[BulkJob]:
        """Return jobs, the newest first.

        Parameters:
          drafts: Also those that nobody has started.
        """
        where = "" if drafts else f"WHERE state <> '{BulkState.DRAFT.value}'"
        return self._jobs(f"{where} ORDER BY created_at DESC LIMIT ?", limit)

    def refused(self, job_id: str, *, limit: int = 100) -> Sequence[Refused]:
        """Return targets of a job that could not be done."""
        sql = "SELECT target, problem FROM bulk_items WHERE job_id = ? AND state = ? ORDER BY target LIMIT ?"
        return [Refused(*row) for row in self._rows(sql, job_id, ItemState.REFUSED.value, limit)]

    def targets(self, job_id: str) -> Sequence[str]:
        """Return all targets of a job."""
        return [row[0] for row in self._rows("SELECT target FROM bulk_items WHERE job_id = ? ORDER BY target", job_id)]

    def now(self) -> float:
        """Return the database's clock, in seconds since 1970."""
        return float(self._rows("SELECT $now")[0][0])

    def forget(self, *, seconds: float, draft_seconds: float = 86_400.0) -> int:
        """Delete jobs that were made longer ago, and drafts that nobody has started; return how many."""
        where = (
            "created_at < $now - ? AND state NOT IN ('waiting', 'running', 'stopped')"
            " OR state = 'draft' AND created_at < $now - ?"
        )

        def work(connection: Any) -> int:
            found = self._sql.rows(connection, f"SELECT id FROM bulk_jobs WHERE {where}", seconds, draft_seconds)  # noqa: S608
            for (job_id,) in found:
                self._sql.run(connection, "DELETE FROM bulk_items WHERE job_id = ?", job_id)
                self._sql.run(connection, "DELETE FROM bulk_jobs WHERE id = ?", job_id)
            return len(found)

        return self.database.transaction(work)

    def _change(self, job_id: str, sql: str, values: tuple[Any, ...], needed: BulkState) -> BulkJob:
        changed = self._run(sql, *values, needed.value)
        job = self.get(job_id)
        if not changed:
            raise Conflict(
                f"The bulk job {job.name or job.id} is {job.state.value}, and would have to be {needed.value}."
            )
        return job

    def _jobs(self, rest: str, *values: Any) -> list[BulkJob]:
        rows = self._rows(f"SELECT {_COLUMNS} FROM bulk_jobs {rest}", *values)  # noqa: S608 constants only
        counts: dict[str, dict[str, int]] = {row[0]: {} for row in rows}
        if rows:
            marks = ", ".join("?" * len(counts))
            sql = f"SELECT job_id, state, count(*) FROM bulk_items WHERE job_id IN ({marks}) GROUP BY job_id, state"  # noqa: S608
            for job_id, state, number in self._rows(sql, *counts):
                counts[job_id][state] = number
        return [_view(row, counts[row[0]]) for row in rows]

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self.database.run(lambda connection: self._sql.rows(connection, sql, *values))

    def _run(self, sql: str, *values: Any) -> int:
        return self.database.run(lambda connection: self._sql.run(connection, sql, *values))


def _view(row: Sequence[Any], counts: Mapping[str, int]) -> BulkJob:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    for name in ("filter", "preview"):
        values[name] = json.loads(values[name]) if isinstance(values[name], str) else values[name]
    return BulkJob(
        **values | {"state": BulkState(values["state"])}, waiting=counts.get(ItemState.WAITING.value, 0),
        done=counts.get(ItemState.DONE.value, 0), refused=counts.get(ItemState.REFUSED.value, 0),
    )  # fmt: skip
