"""What a search means, as a tree: terms joined by and, or, not. Grammars make it, statements and checks read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from growbin_jobs.engine.errors import GrowbinError

Operator = Literal["is", "contains", "<", "<=", ">", ">="]

#: Columns that hold one word each, and what a person calls them.
WORDS: Final = {
    "state": "status",
    "actor": "task_name",
    "queue": "queue_name",
    "node": "node",
    "worker": "worker",
    "id": "task_id",
}
TIMES: Final = {"created": "created_at", "started": "started_at", "completed": "completed_at", "due": "due_at"}
NUMBERS: Final = {"retries": "retry_count", "deferrals": "deferrals", "crashes": "crashes"}
#: Seconds that are computed: of the wait before the start, and of the run.
SPANS: Final = {"wait": ("created_at", "started_at"), "run": ("started_at", "completed_at")}
#: Parts of the message and of what its actor returned. A path may follow: ``kwargs.user.id``.
DOCUMENTS: Final = ("args", "kwargs", "options", "result")
ERROR: Final = "error"
#: What a term without a field looks into; the second one leaves messages out.
ANY: Final = "any"
ANY_COLUMN: Final = "any column"

FIELDS: Final = (*WORDS, *TIMES, *NUMBERS, *SPANS, ERROR, *DOCUMENTS)


class SearchError(GrowbinError):
    """A search cannot be read.

    Attributes:
      place: Where, in characters from 0.
    """

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    Attributes:
      field: A key of the tables above, or :data:`ANY`.
      path: Below a document: keys, or positions in a list.
      value: Text as it was written; a datetime for a time, a float for a number or a span.
    """

    field: str
    operator: Operator
    value: str | datetime | float
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """All of these; true where there are none."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of these."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this."""

    part: Expression


Expression = Term | And | Or | Not

#: Everything.
ALL: Final = And(())


def both(first: Expression, second: Expression) -> Expression:
    """Return what both demand."""
    parts = [part for each in (first, second) for part in (each.parts if isinstance(each, And) else (each,))]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def without_messages(expression: Expression) -> Expression:
    """Return a search that looks into no message and no result, for those who may not see them.

    Raises:
      SearchError: It asks for what is in them.
    """
    if isinstance(expression, Term):
        if expression.field in DOCUMENTS:
            raise SearchError(f"You may not see messages, so you cannot search by {expression.field}.", 0)
        return Term(ANY_COLUMN, expression.operator, expression.value) if expression.field == ANY else expression
    if isinstance(expression, Not):
        return Not(without_messages(expression.part))
    return type(expression)(tuple(without_messages(part) for part in expression.parts))


def reads_documents(expression: Expression) -> bool:
    """Return True where a message or a result must be parsed to know whether a task fits."""
    if isinstance(expression, Term):
        return expression.field in DOCUMENTS
    if isinstance(expression, Not):
        return reads_documents(expression.part)
    return any(reads_documents(part) for part in expression.parts)


def reads_text(expression: Expression) -> bool:
    """Return True where long texts must be read: errors, messages, results."""
    if isinstance(expression, Term):
        return expression.field in (*DOCUMENTS, ERROR, ANY, ANY_COLUMN)
    if isinstance(expression, Not):
        return reads_text(expression.part)
    return any(reads_text(part) for part in expression.parts)
