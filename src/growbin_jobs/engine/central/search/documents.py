"""Does a task fit a search? Looks into its message and its result, which may be anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from growbin_jobs.engine.central.search.expressions import DOCUMENTS, And, Expression, Not, Or, Term

#: Messages longer than this are not parsed: their text alone counts.
LONGEST: Final = 1_000_000

_COMPARED: Final = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}

_UNREADABLE: Final = object()


class Documents:
    """The message and the result of one task, parsed when they are first asked for.

    Parameters:
      payload, result: As the table has them.
    """

    def __init__(self, payload: str | None, result: str | None) -> None:
        self._texts = {"payload": payload, "result": result}
        self._parsed: dict[str, Any] = {}

    def fit(self, expression: Expression, row_fits: Mapping[Term, bool]) -> bool:
        """Return True where the task fits.

        Parameters:
          row_fits: What the database says of the terms that are about columns.
        """
        if isinstance(expression, Term):
            return self._term(expression) if expression.field in DOCUMENTS else row_fits.get(expression, False)
        if isinstance(expression, Not):
            return not self.fit(expression.part, row_fits)
        verdicts = (self.fit(part, row_fits) for part in expression.parts)
        return all(verdicts) if isinstance(expression, And) else any(verdicts)

    def _term(self, term: Term) -> bool:
        part = self._part(term.field)
        if part is _UNREADABLE:
            text = self._texts["result" if term.field == "result" else "payload"] or ""
            return term.operator == "is" and str(term.value).strip("*") in text
        return any(_compares(value, term) for value in _below(part, term.path))

    def _part(self, field: str) -> Any:
        column = "result" if field == "result" else "payload"
        if column not in self._parsed:
            self._parsed[column] = _read(self._texts[column])
        found = self._parsed[column]
        if field == "result" or found is _UNREADABLE:
            return found
        return found.get(field) if isinstance(found, dict) else None


def terms(expression: Expression) -> Iterator[Term]:
    """Yield every term of a search."""
    if isinstance(expression, Term):
        yield expression
    elif isinstance(expression, Not):
        yield from terms(expression.part)
    elif isinstance(expression, And | Or):
        for part in expression.parts:
            yield from terms(part)


def _read(text: str | None) -> Any:
    if text is None:
        return None
    if len(text) > LONGEST:
        return _UNREADABLE
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except (ValueError, RecursionError, ArithmeticError):  # no JSON, or nested too deeply
        return _UNREADABLE


def _below(part: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield the single values at a path, and all below it."""
    for key in path:
        if isinstance(part, dict):
            if key not in part:
                return
            part = part[key]
        elif isinstance(part, list):
            if not key.isdecimal() or int(key[:9]) >= len(part):
                return
            part = part[int(key[:9])]
        else:
            return
    pending = [part]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
        else:
            yield one


def _compares(value: Any, term: Term) -> bool:
    wanted = str(term.value)
    if term.operator != "is":
        return _in_order(value, wanted, term.operator)
    text = _as_text(value)
    if "*" in wanted:
        pattern = ".*".join(re.escape(piece) for piece in wanted.split("*"))
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    return text == wanted or (isinstance(value, Decimal) and _number(wanted) == value)


def _in_order(value: Any, wanted: str, operator: str) -> bool:
    number = _number(wanted)
    if number is not None and isinstance(value, Decimal):
        return bool(_COMPARED[operator](value, number))
    return isinstance(value, str) and number is None and bool(_COMPARED[operator](value, wanted))


def _as_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
