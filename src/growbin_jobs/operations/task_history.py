"""The history of one task: what this node's journal and the central database know of it, oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import apsw

from growbin_jobs.engine.central.tasks import Task, Tasks
from growbin_jobs.engine.delivery.records import DROPPED, Attempt, DeadLetterRecord, JournalTask, Outcome, TaskState
from growbin_jobs.engine.journal.tables import attempts, dead_letters, outbox, reader, sync_log
from growbin_jobs.errors import ConfigurationError, Deferred, GrowbinError
from growbin_jobs.operations.journal_files import reading
from growbin_jobs.operations.json_ready import iso


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """Something that happened to a task, or is due; ``at`` is in seconds since 1970, UTC."""

    at: float
    event: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """What is known of a task.

    Attributes:
      latest: The row that knows more, of the two that follow.
      central, journal: What the central database and the journal say; None: nothing.
      central_error, journal_error: Why one could not be asked; None: it was.
      history: Oldest first. Runs that did not complete, but for the last, are known to the journal only.
    """

    task_id: str
    latest: JournalTask | Task | None
    central: Task | None
    central_error: str | None
    journal: JournalTask | None
    journal_error: str | None
    history: list[HistoryEvent]

    @property
    def problems(self) -> list[str]:
        """Why something could not be asked."""
        return [problem for problem in (self.journal_error, self.central_error) if problem]


def task_record(
    task_id: str, *, file: Path | None, node: str, tasks: Callable[[], Tasks], file_required: bool = False
) -> TaskRecord:
    """Return what a journal and the central database know of a task.

    Parameters:
      file: The journal; None: there is none.
      node: Whose journal it is.
      tasks: Returns the table of the central database.
      file_required: A journal that cannot be read is an error, and not a note in ``journal_error``.

    Raises:
      GrowbinError: If the journal is required and cannot be read.
    """
    central, central_error = _central(task_id, tasks)
    row, events, journal_error = _journal(task_id, file, required=file_required)
    latest: JournalTask | Task | None = row
    # What a node says follows its own order; the central database hears of it a moment later.
    if central and not (row and central.node == node and central.seq <= row.seq):
        latest = central
        events += _of_central(central, known=row is not None)
    events.sort(key=lambda event: event.at)
    return TaskRecord(
        task_id=task_id,
        latest=latest,
        central=central,
        central_error=central_error,
        journal=row,
        journal_error=journal_error,
        history=events,
    )


def _central(task_id: str, tasks: Callable[[], Tasks]) -> tuple[Task | None, str | None]:
    try:
        return tasks().get(task_id), None
    except (Deferred, ConfigurationError) as error:  # the journal can be read all the same
        return None, str(error)


def _journal(
    task_id: str, file: Path | None, *, required: bool
) -> tuple[JournalTask | None, list[HistoryEvent], str | None]:
    if file is None:
        return None, [], None
    try:
        with reading(file) as connection:
            row = reader.task(connection, task_id)
            return row, list(_events(connection, task_id, row)), None
    except GrowbinError as error:
        if required:
            raise
        return None, [], str(error)


def _events(connection: apsw.Connection, task_id: str, row: JournalTask | None) -> Iterator[HistoryEvent]:
    if row is not None:
        yield HistoryEvent(row.created_at, "created", f"{row.task_name} for {row.queue_name}")
        earlier = attempts.of_task(connection, task_id)
        for attempt in earlier:
            yield from _of_attempt(attempt)
        yield from _of_row(row, earlier)
    for copy in sync_log.of_task(connection, task_id):
        yield HistoryEvent(copy.at, "copied" if copy.copied else "not copied", copy.error or "")
    retry = reader.retry_of(connection, task_id)
    if retry is not None:
        count, due_at, error = retry
        yield HistoryEvent(due_at, "retry due", f"number {count + 1}, after: {error}")
    for letter in dead_letters.of_task(connection, task_id):
        yield from _of_letter(letter)
    for sent in outbox.follow_ups(connection, task_id):
        yield HistoryEvent(sent.created_at, "to be sent", f"{sent.task_name} to {sent.queue_name}: {sent.message_id}")


def _of_attempt(attempt: Attempt) -> Iterator[HistoryEvent]:
    if attempt.started_at is not None:
        yield HistoryEvent(attempt.started_at, "started", _start(attempt))
    details = [attempt.error, attempt.worker and f"by {attempt.worker}"]
    if attempt.due_at is not None:
        details.append(f"next due {iso(attempt.due_at)}")
    detail = ", ".join(detail for detail in details if detail)
    yield HistoryEvent(attempt.ended_at, attempt.outcome.value, detail)


def _of_row(row: JournalTask, earlier: Sequence[Attempt]) -> Iterator[HistoryEvent]:
    """Yield what the task's row says and its attempts do not: the row repeats the last unless it has completed."""
    started_at, completed_at = row.started_at, row.completed_at
    if row.status is not TaskState.COMPLETED:
        started_at = None if started_at in {each.started_at for each in earlier} else started_at
        completed_at = None if completed_at in {each.ended_at for each in earlier} else completed_at
    crashes = row.crashes - len(list(takewhile(lambda each: each.outcome is Outcome.CRASHED, reversed(earlier))))
    yield from _of_run(row, row.created_at, started_at, completed_at, crashes)


def _of_run(
    row: JournalTask | Task, created_at: float, started_at: float | None, completed_at: float | None, crashes: int
) -> Iterator[HistoryEvent]:
    if started_at is not None:
        yield HistoryEvent(started_at, "started", _start(row))
    if completed_at is not None:
        if row.status is TaskState.COMPLETED and row.error in DROPPED:
            yield HistoryEvent(completed_at, row.error, "by an operator")
        else:
            yield HistoryEvent(completed_at, row.status.value, row.error or "")
    if crashes > 0:  # since that end; nobody has written down when
        yield HistoryEvent(completed_at or started_at or created_at, "its worker died", f"{crashes} times")


def _start(run: JournalTask | Task | Attempt) -> str:
    return f"by {run.worker}" + (f", retry {run.retry_count}" if run.retry_count else "")


def _of_central(task: Task, *, known: bool) -> Iterator[HistoryEvent]:
    """Yield what another node says; ``known``: this one has seen the task too."""
    created_at = task.created_at.timestamp()
    if not known:
        yield HistoryEvent(created_at, "created", f"{task.task_name} for {task.queue_name}")
    started_at = task.started_at.timestamp() if task.started_at else None
    completed_at = task.completed_at.timestamp() if task.completed_at else None
    yield from _of_run(task, created_at, started_at, completed_at, task.crashes)
    if task.due_at is not None:
        yield HistoryEvent(task.due_at.timestamp(), "retry due", f"number {task.retry_count + 1}")
    yield HistoryEvent(task.synced_at.timestamp(), "copied", f"from {task.node}")


def _of_letter(letter: DeadLetterRecord) -> Iterator[HistoryEvent]:
    number = f"dead letter {letter.id}"
    yield HistoryEvent(letter.died_at, "given up", f"{letter.code}, {number}")
    if letter.retried_at is not None:
        yield HistoryEvent(letter.retried_at, "sent once more", number)
    if letter.discarded_at is not None:
        yield HistoryEvent(letter.discarded_at, "discarded", number)
