"""Lists as CSV and as JSON lines, row by row: a million of them take no more memory than one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, Literal

from growbin_jobs.engine.central.search.expressions import Expression
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_search import MOST_LINES, TaskSearch
from growbin_jobs.operations.json_ready import as_json
from growbin_jobs.operations.readable_json import strict

Form = Literal["csv", "jsonl"]

#: Rows of one export.
MOST: Final = 1_000_000

#: What a spreadsheet takes for a formula at the beginning of a cell (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def tasks(search: TaskSearch, expression: Expression, *, most: int = MOST) -> Iterator[TaskLine]:
    """Yield all tasks that fit, the newest first, however far the search has to go.

    Raises:
      Deferred: The database is away.
    """
    cursor: str | None = None
    for _ in range(most):
        page = search.page(expression, cursor=cursor, limit=MOST_LINES)
        for line in page.tasks:
            if most <= 0:
                return
            most -= 1
            yield line
        cursor = page.next or page.go_on
        if cursor is None:
            return


def pages(read: Callable[[str | None], tuple[Sequence[Any], str | None]], *, most: int = MOST) -> Iterator[Any]:
    """Yield all rows of a list that is read in pages.

    Parameters:
      read: Returns the rows behind a cursor, and the cursor of the next page; None is the first page, and none.
    """
    cursor: str | None = None
    while most > 0:
        rows, cursor = read(cursor)
        yield from rows[:most]
        most -= len(rows)
        if cursor is None:
            return


def encoded(rows: Iterable[Any], kind: type, form: Form) -> Iterator[str]:
    """Yield rows as text.

    Parameters:
      rows: Dataclasses.
      kind: Their class: it says the columns.
      form: ``csv`` with a head, safe to open in a spreadsheet; or ``jsonl``.
    """
    if form == "jsonl":
        for row in rows:
            yield strict(as_json(row)) + "\n"
        return
    names = [field.name for field in fields(kind)]
    yield "\ufeff" + _csv_line(names)  # spreadsheets read UTF-8 by this mark
    for row in rows:
        yield _csv_line([safe_cell(getattr(row, name)) for name in names])


def safe_cell(value: Any) -> Any:
    """Return a value as a cell that no spreadsheet runs as a formula; numbers stay numbers."""
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else value
    text = (
        value.isoformat()
        if isinstance(value, datetime)
        else strict(value)
        if isinstance(value, dict | list)
        else str(value)
    )
    text = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
