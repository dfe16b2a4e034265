"""Finds what is known of a message: in the journal of this node, and in the central database."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Deferred, Transient
from growbin_jobs.engine.results import EngineResults
from growbin_jobs.engine.task_progress.files import Progress, of_message
from growbin_jobs.engine.threads import offload_to

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database


@dataclass(frozen=True, slots=True)
class TaskAttempt:
    """One run of a message.

    Attributes:
      outcome: ``failed``, ``deferred``, ``dead``, ``crashed``, ``completed``, ``running``, ``revoked`` or ``aborted``.
      started_at, ended_at: Seconds since 1970, UTC; None: not known, or not yet.
      node, worker: Where.
      error: Why it did not complete, in words that may be stored.
    """

    outcome: str
    started_at: float | None
    ended_at: float | None
    node: str
    worker: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a row says of a message.

    Attributes:
      node: Whose journal says so.
      seq: Number of the change in that journal.
      result: JSON, or None.
      failure: Why there is no result, where the row says it in words of its own.
    """

    state: TaskState
    node: str
    seq: int
    result: str | None
    error: str | None
    worker: str | None
    started_at: float | None
    completed_at: float | None

    @property
    def failure(self) -> str | None:
        """What the result says instead of a value; None where it is one."""
        try:
            said = json.loads(self.result or "null")
            return str(said["exn"]["msg"]) if isinstance(said, dict) and "exn" in said and "__t" in said else None
        except (ValueError, TypeError, KeyError):
            return None


def attempts_of_centre(database: Database, task_id: str) -> Sequence[TaskAttempt] | None:  # noqa: ARG001 for who has it
    """Return the runs of a task as the central database has them, oldest first.

    None where it has no table of them: then the latest run, which is in the task's own row, is all that is known.
    """
    return None


class TaskLookup:
    """Asks for messages, from any process, also under gevent.

    Parameters:
      results: Of the engine: it knows the journal and the central database.
    """

    def __init__(self, results: EngineResults) -> None:
        self._results = results

    def find(self, task_id: str, *, central: bool = True) -> Known | None:
        """Return what is known of a message; None: nothing.

        A central database that is away counts as one that knows nothing.

        Parameters:
          central: False asks the journal of this node only.
        """
        if self._results.instead is not None:
            ended = self._results.instead(task_id)
            if ended is None:
                return None
            return Known(
                state=ended.state, node=self._results.config.node, seq=0, result=ended.result, error=ended.error,
                worker=None, started_at=None, completed_at=ended.at,
            )  # fmt: skip
        here: Known | None = self._journal(_task, task_id)
        if not central or (here is not None and here.state is TaskState.COMPLETED):
            return here
        there = self._in_central(task_id)
        # What a node says follows its own order; the central database hears of it a moment later.
        if there is not None and not (here is not None and there.node == here.node and there.seq <= here.seq):
            return there
        return here

    def attempts(self, task_id: str) -> tuple[TaskAttempt, ...]:
        """Return the runs of a message, oldest first."""
        known = self.find(task_id)
        here: list[TaskAttempt] = self._journal(_attempts, task_id) or []
        if known is None:
            return tuple(here)
        if known.node != self._results.config.node:
            try:
                there = attempts_of_centre(self._results.central(), task_id)
            except (Deferred, Transient):
                there = None
            here = list(there) if there is not None else here
        return (*here, *_latest(known, here))

    def progress(self, task_id: str) -> Progress | None:
        """Return what a message has said last of its progress."""
        here = offload_to("results", 4, of_message, self._results.config.node_dir, task_id)
        if here is not None:
            return here
        from growbin_jobs.engine.task_progress.table import TaskProgress

        try:
            return TaskProgress(self._results.central()).get(task_id)
        except (Deferred, Transient):
            return None

    def _journal(self, read: Callable[[Path, str, str], Any], task_id: str) -> Any:
        config = self._results.config
        if not config.journal_path.exists():
            return None
        return offload_to("results", 4, read, config.journal_path, config.node, task_id)

    def _in_central(self, task_id: str) -> Known | None:
        from growbin_jobs.engine.central.tasks import TaskRow

        row = TaskRow
        columns = (row.status, row.node, row.seq, row.result, row.error, row.worker, row.started_at, row.completed_at)
        try:
            rows = self._results.central().rows(row.select(*columns).where(row.task_id == task_id))
        except (Deferred, Transient):  # away, or without tables so far
            return None
        for each in rows:
            times = {name: each[name] and each[name].timestamp() for name in ("started_at", "completed_at")}
            return Known(state=TaskState(each.pop("status")), **each | times)
        return None


def _task(path: Path, node: str, task_id: str) -> Known | None:
    import apsw

    from growbin_jobs.engine.journal.tables import reader

    try:
        with closing(reader.open_reader(path)) as connection:
            task = reader.task(connection, task_id)
    except apsw.Error:  # being made, or being moved away
        return None
    if task is None:
        return None
    return Known(
        state=task.status, node=node, seq=task.seq, result=task.result, error=task.error, worker=task.worker,
        started_at=task.started_at, completed_at=task.completed_at,
    )  # fmt: skip


def _attempts(path: Path, node: str, task_id: str) -> list[TaskAttempt]:
    import apsw

    from growbin_jobs.engine.journal.tables import attempts, reader

    try:
        with closing(reader.open_reader(path)) as connection:
            found = attempts.of_task(connection, task_id)
    except apsw.Error:
        return []
    return [
        TaskAttempt(each.outcome.value, each.started_at, each.ended_at, node, each.worker, each.error) for each in found
    ]


def _latest(known: Known, earlier: Sequence[TaskAttempt]) -> list[TaskAttempt]:
    """Return the run that the row tells of, unless the attempts do: those that did not complete are in both."""
    if known.started_at is None or known.started_at in {each.started_at for each in earlier}:
        return []
    running = known.state is TaskState.RUNNING
    outcome = known.state.value if known.state is not TaskState.COMPLETED else (known.error or known.state.value)
    return [
        TaskAttempt(
            outcome, known.started_at, None if running else known.completed_at, known.node, known.worker, known.error
        )
    ]
