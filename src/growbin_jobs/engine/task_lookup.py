"""Finds what is known of a message: in the journal of this node, and in the central database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from growbin_jobs.engine import task_rows
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Deferred, Transient
from growbin_jobs.engine.results import EngineResults
from growbin_jobs.engine.task_progress.files import Progress, of_message
from growbin_jobs.engine.task_rows import Known
from growbin_jobs.engine.threads import offload_to

if TYPE_CHECKING:
    import apsw

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


def attempts_of_centre(database: Database, task_id: str) -> list[TaskAttempt]:
    """Return the runs of a task that did not complete, as the central database has them, oldest first."""
    from growbin_jobs.engine.central.attempts import Attempts

    return [
        TaskAttempt(
            outcome=each.outcome.value,
            started_at=None if each.started_at is None else each.started_at.timestamp(),
            ended_at=each.ended_at.timestamp(),
            node=each.node,
            worker=each.worker,
            error=each.error,
        )
        for each in Attempts(database).of_task(task_id)
    ]


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
        config = self._results.config
        here = task_rows.in_journal(config.journal_path, config.node, task_id)
        if not central or (here is not None and here.state is TaskState.COMPLETED):
            return here
        there = task_rows.in_central(self._results.central(), task_id)
        # What a node says follows its own order; the central database hears of it a moment later.
        if there is not None and not (here is not None and there.node == here.node and there.seq <= here.seq):
            return there
        return here

    def attempts(self, task_id: str) -> tuple[TaskAttempt, ...]:
        """Return the runs of a message, oldest first."""
        known = self.find(task_id)
        config = self._results.config
        here = task_rows.from_journal(config.journal_path, partial(_attempts, config.node, task_id)) or []
        if known is None:
            return tuple(here)
        if known.node != config.node:
            with suppress(Deferred, Transient):  # then the latest run, in the task's own row, is all that is known
                here = attempts_of_centre(self._results.central(), task_id)
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


def _attempts(node: str, task_id: str, connection: apsw.Connection) -> list[TaskAttempt]:
    from growbin_jobs.engine.journal.tables import attempts

    return [
        TaskAttempt(each.outcome.value, each.started_at, each.ended_at, node, each.worker, each.error)
        for each in attempts.of_task(connection, task_id)
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
