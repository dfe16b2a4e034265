"""Tasks as a list shows them: never a message, never a result, of an error the beginning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.fields import UtcField

#: Characters of an error that a list shows.
ERROR_SHOWN: Final = 300

NAMES: Final = (
    "task_id", "node", "task_name", "queue_name", "status", "created_at", "started_at", "completed_at", "due_at",
    "retry_count", "deferrals", "crashes", "worker", "parent_id", "root_id",
)  # fmt: skip
_TIMES: Final = frozenset({"created_at", "started_at", "completed_at", "due_at"})
_MOMENTS: Final = UtcField()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One task of a list. Times are aware, in UTC.

    Attributes:
      status: As in ``tasks``; ``lost`` where it ran on a node that has fallen silent.
      parent_id: The task that sent it; None: a producer, or nobody knows.
      root_id: The first task of its chain; None where it has no parent.
      error: Its beginning.
      wait: Seconds from its creation to its last start; None before that. Clocks of two nodes may differ: never less
        than 0, and ``skewed`` says so.
      run: Seconds that its last run took.
    """

    task_id: str
    node: str
    task_name: str
    queue_name: str
    status: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    due_at: datetime | None
    retry_count: int
    deferrals: int
    crashes: int
    worker: str | None
    parent_id: str | None
    root_id: str | None
    error: str | None
    wait: float | None
    run: float | None
    skewed: bool


def line(values: Sequence[Any]) -> TaskLine:
    """Return a task of the columns :data:`NAMES` and the beginning of its error."""
    row: dict[str, Any] = dict(zip(NAMES, values, strict=False))
    for name in _TIMES:
        row[name] = _MOMENTS.python_value(row[name])
    wait, run = _seconds(row["created_at"], row["started_at"]), _seconds(row["started_at"], row["completed_at"])
    return TaskLine(
        **row,
        error=values[len(NAMES)],
        wait=None if wait is None else max(0.0, wait),
        run=None if run is None else max(0.0, run),
        skewed=(wait or 0.0) < 0,
    )


def _seconds(first: datetime | None, last: datetime | None) -> float | None:
    return None if first is None or last is None else (last - first).total_seconds()
