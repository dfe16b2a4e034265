"""Celery's words for states, and what they mean in a search of our table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from growbin_jobs.engine.central.search.expressions import ANY, ERROR, And, Expression, Not, Or, Term
from growbin_jobs.engine.delivery.records import DROPPED, TaskState
from growbin_jobs.engine.groups import Group
from growbin_jobs.engine.task_results import State, state_of
from growbin_jobs.monitor.api.flower.worker_names import on_worker

PENDING: Final = "PENDING"
RECEIVED: Final = "RECEIVED"

_DROPPED: Final = Or(tuple(Term(ERROR, "contains", word) for word in (*DROPPED, "skipped")))
_COMPLETED: Final = Term("state", "is", TaskState.COMPLETED.value)
_WAITS: Final = Term("state", "is", TaskState.PENDING.value)
_UNTAKEN: Final = Term("worker", "is", "")

_MEANINGS: Final[dict[str, Expression]] = {
    PENDING: And((_WAITS, _UNTAKEN)),
    RECEIVED: And((_WAITS, Not(_UNTAKEN))),
    "STARTED": Term("state", "is", TaskState.RUNNING.value),
    "SUCCESS": And((_COMPLETED, Not(_DROPPED))),
    "REVOKED": And((_COMPLETED, _DROPPED)),
    "RETRY": Term("state", "is", TaskState.FAILED.value),
    "FAILURE": Term("state", "is", TaskState.DEAD.value),
}


def celery_state(status: str, error: str | None, worker: str | None) -> str:
    """Return the state of a row in Celery's word.

    Parameters:
      status, error, worker: Of the row.
    """
    state = state_of(TaskState(status), error)
    return RECEIVED if state is State.PENDING and worker else state.value


def in_state(word: str) -> Expression:
    """Return the search for a state in Celery's word; for a word that is none, one that finds nothing."""
    return _MEANINGS.get(word.upper(), Term("state", "is", word))


def in_celery_s_words(expression: Expression, groups: Sequence[Group]) -> Expression:
    """Return a search of ``parse_flower`` with what that one leaves to us.

    ``state:SUCCESS`` does not mean revoked tasks, ``state:REVOKED`` does; ``name:`` and ``worker:`` are fields.

    Parameters:
      groups: Of the engine.
    """
    if isinstance(expression, Not):
        return Not(in_celery_s_words(expression.part, groups))
    if isinstance(expression, And | Or):
        return type(expression)(tuple(in_celery_s_words(part, groups) for part in expression.parts))
    value = str(expression.value)
    if expression.field == "state":
        word = {TaskState.COMPLETED.value: "SUCCESS", "revoked": "REVOKED"}.get(value)
        return in_state(word) if word else expression
    if expression.field == ANY and value.startswith("name:"):
        return Term("actor", "is", f"*{value.removeprefix('name:').strip(chr(34))}*")
    if expression.field == ANY and value.startswith("worker:"):
        return on_worker(value.removeprefix("worker:").strip('"'), groups)
    return expression
