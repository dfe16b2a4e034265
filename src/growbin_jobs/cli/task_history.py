"""Everything that is known of one task, in the order in which it happened."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import apsw

from growbin_jobs.cli.journal_view import iso, reading, task_json
from growbin_jobs.errors import ConfigurationError, Deferred
from growbin_jobs.journal import reader
from growbin_jobs.journal.records import DeadLetter, Task
from growbin_jobs.models.tasks import Tasks
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import central_database

_LETTERS = f"""
SELECT {", ".join(field.name for field in fields(DeadLetter))} FROM dead_letter WHERE task_id = ? ORDER BY id
"""  # noqa: S608 constants only

Event = tuple[float, str, str]


def known_of(task_id: str, settings: Settings, journal: Path) -> dict[str, Any]:
    """Return what the node's journal and the central database know of a task, ready for JSON.

    Returns:
      ``central`` and ``journal``: its rows, or None. ``central_error``: why the database could not be asked, or None.
      ``history``: events with ``at``, ``event`` and ``detail``, oldest first; the journal's only.
    """
    central, central_error = _central(task_id, settings)
    row: Task | None = None
    events: list[Event] = []
    if journal.is_file():
        with reading(journal) as connection:
            row = reader.task(connection, task_id)
            events = sorted(_events(connection, task_id, row), key=lambda event: event[0])
    history = [{"at": iso(at), "event": event, "detail": detail} for at, event, detail in events]
    return {
        "task_id": task_id,
        "central": central,
        "central_error": central_error,
        "journal": task_json(row) if row else None,
        "history": history,
    }


def _central(task_id: str, settings: Settings) -> tuple[dict[str, Any] | None, str | None]:
    try:
        task = Tasks(central_database(settings)).get(task_id)
    except (Deferred, ConfigurationError) as error:  # the journal can be read all the same
        return None, str(error)
    return (task.as_dict() if task else None), None


def _events(connection: apsw.Connection, task_id: str, row: Task | None) -> Iterator[Event]:
    if row is not None:
        yield from _of_row(row)
    for at, status, error in connection.execute(
        "SELECT synced_at, status, error FROM sync_log WHERE task_id = ? ORDER BY id", (task_id,)
    ):
        yield float(at), "copied" if status == "success" else "not copied", str(error or "")
    retry = reader.retry_of(connection, task_id)
    if retry is not None:
        count, due_at, error = retry
        yield due_at, "retry due", f"number {count + 1}, after: {error}"
    for values in connection.execute(_LETTERS, (task_id,)):
        yield from _of_letter(DeadLetter(*values))
    for created_at, name, queue, message_id in connection.execute(
        "SELECT created_at, task_name, queue_name, message_id FROM outbox WHERE parent_id = ? ORDER BY seq", (task_id,)
    ):
        yield float(created_at), "owes", f"{name} to {queue}: {message_id}"


def _of_row(row: Task) -> Iterator[Event]:
    yield row.created_at, "created", f"{row.task_name} for {row.queue_name}"
    if row.started_at is not None:
        yield row.started_at, "started", f"by {row.worker}" + (f", retry {row.retry_count}" if row.retry_count else "")
    if row.completed_at is not None:
        yield row.completed_at, row.status.value, row.error or ""
    elif row.crashes:
        yield row.started_at or row.created_at, "its worker died", f"{row.crashes} times"


def _of_letter(letter: DeadLetter) -> Iterator[Event]:
    yield letter.died_at, "given up", f"{letter.code}, dead letter {letter.id}"
    if letter.retried_at is not None:
        yield letter.retried_at, "sent once more", f"dead letter {letter.id}"
    if letter.discarded_at is not None:
        yield letter.discarded_at, "discarded", f"dead letter {letter.id}"
