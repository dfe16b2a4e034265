"""Everything that is known of one task, in the order in which it happened."""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import apsw

from growbin_jobs.cli import target
from growbin_jobs.cli.journal_file import existing, reading
from growbin_jobs.cli.journal_view import iso, task_json
from growbin_jobs.engine.central.tasks import Task as Central
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.delivery.records import Attempt, DeadLetter, Outcome, Task, TaskState
from growbin_jobs.engine.journal.tables import attempts, dead_letters, outbox, reader, sync_log
from growbin_jobs.errors import ConfigurationError, Deferred, GrowbinError

Event = tuple[float, str, str]


def known_of(task_id: str, config: EngineConfig, path: Path | None) -> dict[str, Any]:
    """Return what a journal and the central database know of a task, ready for JSON.

    Parameters:
      path: The journal; None: this node's, if there is one.

    Returns:
      ``journal`` and ``central``: its rows, or None. ``journal_error`` and ``central_error``: why one could not be
      asked, or None. ``latest``: the row that knows more, or None. ``history``: events with ``at``, ``event`` and
      ``detail``, oldest first. Runs that did not complete, but for the last, are known to the journal only.

    Raises:
      NotFound: There is no journal of that path.
    """
    central, central_error = _central(task_id)
    row, events, journal_error = _journal(task_id, config, path)
    latest = task_json(row) if row else None
    # What a node says follows its own order; the central database hears of it a moment later.
    if central and not (row and central.node == _node(config, path) and central.seq <= row.seq):
        latest = central.as_dict()
        events += _of_central(central, known=row is not None)
    events.sort(key=lambda event: event[0])
    return {
        "task_id": task_id,
        "latest": latest,
        "central": central.as_dict() if central else None,
        "central_error": central_error,
        "journal": task_json(row) if row else None,
        "journal_error": journal_error,
        "history": [{"at": iso(at), "event": event, "detail": detail} for at, event, detail in events],
    }


def _central(task_id: str) -> tuple[Central | None, str | None]:
    try:
        return Tasks(target.central()).get(task_id), None
    except (Deferred, ConfigurationError) as error:  # the journal can be read all the same
        return None, str(error)


def _node(config: EngineConfig, path: Path | None) -> str:
    return path.absolute().parent.name if path else config.node


def _journal(task_id: str, config: EngineConfig, path: Path | None) -> tuple[Task | None, list[Event], str | None]:
    if path is None and not config.journal_path.is_file():
        return None, [], None
    file = existing(path)
    try:
        with reading(file) as connection:
            row = reader.task(connection, task_id)
            return row, list(_events(connection, task_id, row)), None
    except GrowbinError as error:
        if path is not None:
            raise
        return None, [], str(error)


def _events(connection: apsw.Connection, task_id: str, row: Task | None) -> Iterator[Event]:
    if row is not None:
        yield row.created_at, "created", f"{row.task_name} for {row.queue_name}"
        earlier = attempts.of_task(connection, task_id)
        for attempt in earlier:
            yield from _of_attempt(attempt)
        yield from _of_row(row, earlier)
    for copy in sync_log.of_task(connection, task_id):
        yield copy.at, "copied" if copy.copied else "not copied", copy.error or ""
    retry = reader.retry_of(connection, task_id)
    if retry is not None:
        count, due_at, error = retry
        yield due_at, "retry due", f"number {count + 1}, after: {error}"
    for letter in dead_letters.of_task(connection, task_id):
        yield from _of_letter(letter)
    for sent in outbox.follow_ups(connection, task_id):
        yield sent.created_at, "owes", f"{sent.task_name} to {sent.queue_name}: {sent.message_id}"


def _of_attempt(attempt: Attempt) -> Iterator[Event]:
    if attempt.started_at is not None:
        yield attempt.started_at, "started", _start(attempt)
    details = [attempt.error, attempt.worker and f"by {attempt.worker}"]
    if attempt.due_at is not None:
        details.append(f"next due {iso(attempt.due_at)}")
    yield attempt.ended_at, attempt.outcome.value, ", ".join(detail for detail in details if detail)


def _of_row(row: Task, earlier: Sequence[Attempt]) -> Iterator[Event]:
    """What the task's row says and its attempts do not: the row repeats the last of them unless it has completed."""
    started_at, completed_at = row.started_at, row.completed_at
    if row.status is not TaskState.COMPLETED:
        started_at = None if started_at in {each.started_at for each in earlier} else started_at
        completed_at = None if completed_at in {each.ended_at for each in earlier} else completed_at
    crashes = row.crashes - len(list(takewhile(lambda each: each.outcome is Outcome.CRASHED, reversed(earlier))))
    yield from _of_run(row, row.created_at, started_at, completed_at, crashes)


def _of_run(
    row: Task | Central, created_at: float, started_at: float | None, completed_at: float | None, crashes: int
) -> Iterator[Event]:
    if started_at is not None:
        yield started_at, "started", _start(row)
    if completed_at is not None:
        yield completed_at, row.status.value, row.error or ""
    if crashes > 0:  # since that end; nobody has written down when
        yield completed_at or started_at or created_at, "its worker died", f"{crashes} times"


def _start(run: Task | Central | Attempt) -> str:
    return f"by {run.worker}" + (f", retry {run.retry_count}" if run.retry_count else "")


def _of_central(task: Central, *, known: bool) -> Iterator[Event]:
    """What another node says; ``known``: this one has seen the task too."""
    if not known:
        yield task.created_at.timestamp(), "created", f"{task.task_name} for {task.queue_name}"
    started_at = task.started_at.timestamp() if task.started_at else None
    completed_at = task.completed_at.timestamp() if task.completed_at else None
    yield from _of_run(task, task.created_at.timestamp(), started_at, completed_at, task.crashes)
    if task.due_at is not None:
        yield task.due_at.timestamp(), "retry due", f"number {task.retry_count + 1}"
    yield task.synced_at.timestamp(), "copied", f"from {task.node}"


def _of_letter(letter: DeadLetter) -> Iterator[Event]:
    yield letter.died_at, "given up", f"{letter.code}, dead letter {letter.id}"
    if letter.retried_at is not None:
        yield letter.retried_at, "sent once more", f"dead letter {letter.id}"
    if letter.discarded_at is not None:
        yield letter.discarded_at, "discarded", f"dead letter {letter.id}"
