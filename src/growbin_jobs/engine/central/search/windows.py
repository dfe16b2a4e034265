"""What chooses the rows that a search looks at, and where a page begins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from growbin_jobs.engine.central.fields import UtcField, utc_moment
from growbin_jobs.engine.central.search.cursors import Place
from growbin_jobs.engine.central.search.expressions import ALL, And, Expression, Term, both


def behind_value(place: Place | None, column: str, sign: str) -> tuple[str, list[Any]]:
    """Return the condition for the rows behind a place; what has no value comes last."""
    if place is None:
        return "(1 = 1)", []
    if place.value is None:
        return f"({column} IS NULL AND task_id {sign} ?)", [place.task_id]
    return (
        f"({column} IS NULL OR {column} {sign} ? OR ({column} = ? AND task_id {sign} ?))",
        [place.value, place.value, place.task_id],
    )


def parts(expression: Expression) -> tuple[Expression, Expression]:
    """Return the part that an index serves, and the rest."""
    its = expression.parts if isinstance(expression, And) else (expression,)
    chosen: Expression = ALL
    rest: Expression = ALL
    for part in its:
        if isinstance(part, And):
            inner, other = parts(part)
            chosen, rest = both(chosen, inner), both(rest, other)
        elif isinstance(part, Term) and is_indexed(part):
            chosen = both(chosen, part)
        else:
            rest = both(rest, part)
    return chosen, rest


def is_indexed(term: Term) -> bool:
    """Return whether an index serves a term."""
    if term.field in ("state", "id"):
        return term.operator == "is" and "*" not in str(term.value)
    return term.field == "created"


def moment_of(value: Any) -> datetime:
    """Return a moment of the table."""
    found = utc_moment(value)
    assert found is not None
    return found


def words_of(value: Any) -> str:
    """Return a moment of the table in the words of the database, to the microsecond."""
    if isinstance(value, str):
        return value
    return str(UtcField().db_value(value))
