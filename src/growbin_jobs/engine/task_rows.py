"""Reads the row of a task, in the journal of this node and in the central database; also under gevent."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Deferred, Transient
from growbin_jobs.engine.threads import offload_to

if TYPE_CHECKING:
    import apsw

    from growbin_jobs.engine.central.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a row says of a message.

    Attributes:
      node: Whose journal says so.
      seq: Number of the change in that journal.
      result: JSON, or None.
      started_at, completed_at: Seconds since 1970, UTC.
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


def from_journal(path: Path, read: Callable[[apsw.Connection], T]) -> T | None:
    """Return what is read from a journal; None where there is none, or it cannot be read now."""
    if not path.exists():
        return None
    found: T | None = offload_to("results", 4, _read, path, read)
    return found


def in_journal(path: Path, node: str, task_id: str) -> Known | None:
    """Return what the journal of this node says of a task; None: nothing."""

    def read(connection: apsw.Connection) -> Known | None:
        from growbin_jobs.engine.journal.tables import reader

        task = reader.task(connection, task_id)
        if task is None:
            return None
        return Known(
            state=task.status, node=node, seq=task.seq, result=task.result, error=task.error, worker=task.worker,
            started_at=task.started_at, completed_at=task.completed_at,
        )  # fmt: skip

    return from_journal(path, read)


def in_central(database: Database, task_id: str) -> Known | None:
    """Return what the central database says of a task; None: nothing, or it is away or without tables so far."""
    from growbin_jobs.engine.central.tasks import TaskRow

    row = TaskRow
    columns = (row.status, row.node, row.seq, row.result, row.error, row.worker, row.started_at, row.completed_at)
    try:
        rows = database.rows(row.select(*columns).where(row.task_id == task_id))
    except (Deferred, Transient):
        return None
    for each in rows:
        times = {name: each[name] and each[name].timestamp() for name in ("started_at", "completed_at")}
        return Known(state=TaskState(each.pop("status")), **each | times)
    return None


def _read(path: Path, read: Callable[[apsw.Connection], T]) -> T | None:
    import apsw

    from growbin_jobs.engine.journal.tables import reader

    try:
        with closing(reader.open_reader(path)) as connection:
            return read(connection)
    except apsw.Error:  # being made, or being moved away
        return None
