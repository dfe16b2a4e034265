"""From a search to SQL: a condition that every task that fits meets, and whether those that meet it all fit.

What is in a message or a result is not parsed by the database: a message may be no JSON at all, and one such row must
not break a search. The condition finds the text of the value; ``documents`` then looks at those rows alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import UtcField, storable
from growbin_jobs.engine.central.search.expressions import (
    ANY,
    ANY_COLUMN,
    ERROR,
    NUMBERS,
    SPANS,
    TIMES,
    WORDS,
    And,
    Expression,
    Not,
    Term,
)

_ESCAPE: Final = "\\"


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL, never NULL.

    Attributes:
      sql: With ``?`` for each value.
      exact: Every row that meets it fits the search.
    """

    sql: str
    values: tuple[Any, ...]
    exact: bool

    @property
    def is_true(self) -> bool:
        """Does every row meet it?"""
        return self.sql == _TRUE


_TRUE: Final = "(1 = 1)"
_FALSE: Final = "(1 = 0)"


def condition(expression: Expression, dialect: Dialect) -> Condition:
    """Return the SQL of a search over the table ``tasks``."""
    if isinstance(expression, Term):
        return _Terms(dialect).of(expression)
    if isinstance(expression, Not):
        inner = condition(expression.part, dialect)
        return Condition(f"(NOT {inner.sql})", inner.values, True) if inner.exact else Condition(_TRUE, (), False)
    parts = [condition(part, dialect) for part in expression.parts]
    exact = all(part.exact for part in parts)
    if isinstance(expression, And):
        parts = [part for part in parts if not part.is_true]
        return _joined(parts, " AND ", exact) if parts else Condition(_TRUE, (), exact)
    if any(part.is_true for part in parts):
        return Condition(_TRUE, (), exact)
    return _joined(parts, " OR ", exact)


def _joined(parts: list[Condition], word: str, exact: bool) -> Condition:
    sql = word.join(part.sql for part in parts)
    return Condition(f"({sql})", tuple(value for part in parts for value in part.values), exact)


class _Terms:
    """Makes SQL of single terms."""

    def __init__(self, dialect: Dialect) -> None:
        self._postgresql = dialect == "postgresql"

    def of(self, term: Term) -> Condition:
        if term.field in WORDS:
            return self._word(WORDS[term.field], str(term.value))
        if term.field in TIMES:
            return self._time(TIMES[term.field], term)
        if term.field in NUMBERS:
            return Condition(f"({NUMBERS[term.field]} {_sign(term)} ?)", (term.value,), True)
        if term.field in SPANS:
            return self._span(*SPANS[term.field], term)
        if term.field == ERROR:
            return self._contains("COALESCE(error, '')", str(term.value))
        if term.field in (ANY, ANY_COLUMN):
            return self._anywhere(str(term.value), messages=term.field == ANY)
        return self._document("result" if term.field == "result" else "payload", term)

    def _word(self, column: str, value: str) -> Condition:
        known = f"COALESCE({column}, '')" if column == "worker" else column  # an index serves a bare column only
        if "*" not in value:
            return Condition(f"({known} = ?)", (storable(value),), True)
        pattern = "%".join(_literal(part) for part in storable(value).split("*"))
        return Condition(f"({known} LIKE ? ESCAPE '{_ESCAPE}')", (pattern,), True)

    def _time(self, column: str, term: Term) -> Condition:
        assert isinstance(term.value, datetime)
        value = UtcField().db_value(term.value)
        return Condition(f"({column} IS NOT NULL AND {column} {_sign(term)} ?)", (value,), True)

    def _span(self, first: str, last: str, term: Term) -> Condition:
        seconds = (
            f"extract(epoch FROM {last} - {first})"
            if self._postgresql
            else f"((julianday({last}) - julianday({first})) * 86400.0)"
        )
        return Condition(
            f"({first} IS NOT NULL AND {last} IS NOT NULL AND {seconds} {_sign(term)} ?)", (term.value,), True
        )

    def _contains(self, text: str, value: str) -> Condition:
        """Find a text, whatever the case of its letters."""
        like = "ILIKE" if self._postgresql else "LIKE"
        return Condition(f"({text} {like} ? ESCAPE '{_ESCAPE}')", (_anywhere(storable(value)),), True)

    def _anywhere(self, value: str, *, messages: bool) -> Condition:
        """Find a text in the short columns and, as it is written, in ids and messages.

        PostgreSQL takes ten times as long where the case of letters is nothing, so that is for the short columns.
        """
        parts = [self._contains("task_name || ' ' || queue_name || ' ' || COALESCE(error, '')", value)]
        parts.append(Condition(f"(task_id LIKE ? ESCAPE '{_ESCAPE}')", (_anywhere(storable(value)),), True))
        for text in sorted(_written(value)) if messages else ():
            parts.append(Condition(f"(payload LIKE ? ESCAPE '{_ESCAPE}')", (_anywhere(text),), True))
        return _joined(parts, " OR ", True)

    def _document(self, column: str, term: Term) -> Condition:
        """Find what a message must contain as text to fit: the value, or for a comparison the key."""
        wanted = (
            str(term.value)
            if term.operator == "is"
            else next((key for key in reversed(term.path) if not key.isdigit()), "")
        )
        pieces = [piece for piece in wanted.split("*") if piece]
        if not pieces:
            return Condition(f"({column} IS NOT NULL)", (), False)
        longest = max(pieces, key=len)
        forms = sorted(_written(longest))
        sql = " OR ".join(f"COALESCE({column}, '') LIKE ? ESCAPE '{_ESCAPE}'" for _ in forms)
        return Condition(f"({sql})", tuple(f"%{_literal(form)}%" for form in forms), False)


def _anywhere(value: str) -> str:
    return "%" + "%".join(_literal(part) for part in value.split("*")) + "%"


def _sign(term: Term) -> str:
    return "=" if term.operator == "is" else term.operator


def _written(text: str) -> set[str]:
    """Return how JSON may write a text: with the letters themselves, and with their numbers."""
    return {json.dumps(storable(text), ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def _literal(text: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text
