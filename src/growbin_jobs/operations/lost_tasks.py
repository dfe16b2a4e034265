"""Tasks of silent nodes: what a list shows as lost, and how one searches for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.search.expressions import And, Expression, Not, Or, Term
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.workers import SILENCE
from growbin_jobs.engine.delivery.records import TaskState

LOST: Final = "lost"


def with_lost(lost: Lost, lines: Sequence[TaskLine], *, now: datetime | None = None) -> list[TaskLine]:
    """Return tasks, those that ran on a silent node, or whose messages nobody has any more, as lost.

    Parameters:
      lost: Finds them.
      lines: The tasks.
      now: Aware; None: by this machine's clock.

    Raises:
      Deferred: The database is away.
    """
    now = now or datetime.now(UTC)
    running = [line.task_id for line in lines if line.status == TaskState.RUNNING]
    waiting = [line.task_id for line in lines if line.status in (TaskState.PENDING, TaskState.FAILED)]
    found = lost.tasks(now, task_ids=running) if running else []
    found += lost.vanished(now, task_ids=waiting)
    gone = {task.task_id for task in found}
    if not gone:
        return list(lines)
    return [replace(line, status=LOST) if line.task_id in gone else line for line in lines]


def meaning_lost(lost: Lost, expression: Expression, *, now: datetime | None = None) -> Expression:
    """Return a search in which ``state:lost`` is said by what the table knows.

    That is: running, and not on a node that lives; or one of the tasks whose messages nobody has any more.

    Parameters:
      lost: Knows which nodes live.
      expression: The search.
      now: Aware; None: by this machine's clock.

    Raises:
      Deferred: The database is away.
    """
    if isinstance(expression, Not):
        return Not(meaning_lost(lost, expression.part, now=now))
    if isinstance(expression, And | Or):
        return type(expression)(tuple(meaning_lost(lost, part, now=now) for part in expression.parts))
    if expression.field != "state" or expression.value != LOST:
        return expression
    now = now or datetime.now(UTC)
    living = Or(tuple(Term("node", "is", node) for node in sorted(lost.living(now))))
    running = Term("state", "is", TaskState.RUNNING.value)
    old = Not(Term("started", ">=", now - SILENCE))
    ran = And((running, old, Not(living))) if living.parts else And((running, old))
    return Or((ran, *(Term("id", "is", task.task_id) for task in lost.vanished(now))))
