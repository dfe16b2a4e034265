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


def with_lost(lost: Lost, lines: Sequence[TaskLine]) -> list[TaskLine]:
    """Return tasks, those that ran on a silent node as lost.

    Parameters:
      lost: Finds them.
      lines: The tasks.

    Raises:
      Deferred: The database is away.
    """
    running = [line.task_id for line in lines if line.status == TaskState.RUNNING]
    if not running:
        return list(lines)
    gone = {task.task_id for task in lost.tasks(datetime.now(UTC), task_ids=running)}
    return [replace(line, status=LOST) if line.task_id in gone else line for line in lines]


def meaning_lost(lost: Lost, expression: Expression) -> Expression:
    """Return a search in which ``state:lost`` is said by what the table knows: running, and not on a node that lives.

    Parameters:
      lost: Knows which nodes live.
      expression: The search.

    Raises:
      Deferred: The database is away.
    """
    if isinstance(expression, Not):
        return Not(meaning_lost(lost, expression.part))
    if isinstance(expression, And | Or):
        return type(expression)(tuple(meaning_lost(lost, part) for part in expression.parts))
    if expression.field != "state" or expression.value != LOST:
        return expression
    now = datetime.now(UTC)
    living = Or(tuple(Term("node", "is", node) for node in sorted(lost.living(now))))
    running = Term("state", "is", TaskState.RUNNING.value)
    old = Not(Term("started", ">=", now - SILENCE))
    return And((running, old, Not(living))) if living.parts else And((running, old))
