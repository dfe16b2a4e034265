"""Finds tasks in a table of millions: a bounded number of rows is looked at, and the caller is told where to go on.

Conditions that an index serves (state, id, times of creation) choose the rows; the newest of them, as many as the
window has, are looked at for the rest. So a term that occurs nowhere costs what any other costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import TooSlow
from growbin_jobs.engine.central.search import lines
from growbin_jobs.engine.central.search.conditions import Condition, condition
from growbin_jobs.engine.central.search.cursors import Place, decoded, not_ours
from growbin_jobs.engine.central.search.documents import LONGEST, Documents, terms
from growbin_jobs.engine.central.search.expressions import (
    ALL,
    DOCUMENTS,
    NUMBERS,
    TIMES,
    WORDS,
    Expression,
    SearchError,
    Term,
    reads_documents,
    reads_text,
)
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.windows import behind_value, moment_of, parts, words_of
from growbin_jobs.engine.central.sql_words import SqlWords

#: Rows that one page looks at: where columns decide, where long texts must be read, where messages must be parsed.
WINDOW, TEXT_WINDOW, PARSED = 25_000, 10_000, 1_000

#: A list that is sorted by something else than creation is of so many tasks, the newest that fit.
SORTED: Final = 5_000

#: Counting ends here.
CAP: Final = 100_000

MOST_LINES: Final = 1000

#: The least that two times of creation differ by.
TICK: Final = timedelta(microseconds=1)

SORTS: Final = {**TIMES, **WORDS, **NUMBERS}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of tasks.

    Attributes:
      tasks: Those that fit, in order.
      next: Cursor of the next page; None: there is none that is known of.
      searched: How many tasks were looked at where the search ended before the end of the table; ``go_on`` is then the
        cursor from where it goes on. None: all were.
    """

    tasks: list[TaskLine]
    next: str | None = None
    searched: int | None = None
    go_on: str | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many tasks fit.

    Attributes:
      number: As far as was counted.
      capped: There are more.
      within: Only the newest so many tasks were looked at; None: all.
    """

    number: int
    capped: bool = False
    within: int | None = None


class TaskSearch:
    """Reads lists of tasks.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
      window, text_window: Rows that one page looks at, without and with long texts.
    """

    def __init__(self, database: Database, *, window: int = WINDOW, text_window: int = TEXT_WINDOW) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)
        self._window, self._text_window = window, text_window

    def page(
        self, expression: Expression = ALL, *, cursor: str | None = None, limit: int = 50, sort: str = "-created"
    ) -> Page:
        """Return a page of the tasks that fit.

        Each task comes once, whatever is inserted meanwhile: pages begin behind a row, not at a number.

        Parameters:
          expression: What to look for.
          cursor: Of an earlier page with the same search and order; None: the first page.
          limit: Tasks of a page, at most 1000.
          sort: A key of :data:`SORTS`, with ``-`` for the greatest first; what is missing comes last.

        Raises:
          SearchError: The order or the cursor is none.
        """
        if sort.removeprefix("-") not in SORTS:
            raise SearchError(f"Tasks cannot be sorted by {sort!r}; choose one of {', '.join(SORTS)}.", 0)
        limit = max(1, min(limit, MOST_LINES))
        place = _place(cursor, sort) if cursor else None
        window = self._text_window if reads_text(expression) else self._window
        while True:
            query = _Query(self._database, self._words, expression, sort, window)
            try:
                return query.page(place, limit)
            except TooSlow:
                if window <= PARSED:
                    raise
                window = max(PARSED, window // 8)

    def count(self, expression: Expression = ALL) -> Count:
        """Return how many tasks fit, counted up to :data:`CAP` and among as many as a page looks at.

        What is in messages is not counted: the number is then of those that a page would parse.
        """
        chosen, rest = parts(expression)
        first, other = condition(chosen, self._database.dialect), condition(rest, self._database.dialect)
        window = CAP if other.is_true else self._text_window if reads_text(expression) else self._window
        sql = (
            f"SELECT count(*), sum(CASE WHEN fits THEN 1 ELSE 0 END) FROM (SELECT {other.sql} AS fits FROM tasks"  # noqa: S608
            f" WHERE {first.sql}{'' if other.is_true else ' ORDER BY created_at DESC'} LIMIT ?) AS newest"
        )
        values = (*other.values, *first.values, window + 1)
        [(looked_at, fits)] = self._database.run(lambda connection: self._words.rows(connection, sql, *values))
        beyond = looked_at > window
        number = int(fits or 0)
        if other.is_true:
            return Count(min(number, CAP), capped=beyond)
        return Count(number, within=window if beyond else None)

    def total(self, expression: Expression, first: Page) -> Count:
        """Return how many tasks fit, counting only where the first page has not shown all of them.

        Parameters:
          first: The first page of the same search.
        """
        if first.next is None and first.go_on is None:
            return Count(len(first.tasks))
        return self.count(expression) if first.next is not None else Count(len(first.tasks), within=first.searched)

    def choices(self) -> dict[str, list[str]]:
        """Return the actors, queues and nodes of the newest tasks, to choose from."""
        sql = (
            "SELECT DISTINCT task_name, queue_name, node FROM"
            " (SELECT task_name, queue_name, node FROM tasks ORDER BY created_at DESC LIMIT 5000) AS newest LIMIT 5000"
        )
        rows = self._database.run(lambda connection: self._words.rows(connection, sql))
        return {name: sorted({row[at] for row in rows})[:500] for at, name in enumerate(("actor", "queue", "node"))}


class _Query:
    """One search with its order and its window."""

    def __init__(self, database: Database, words: SqlWords, expression: Expression, sort: str, window: int) -> None:
        self._database, self._words = database, words
        self._expression, self._sort, self._window = expression, sort, window
        chosen, rest = parts(expression)
        self._chosen = condition(chosen, database.dialect)
        self._rest = condition(rest, database.dialect)
        self._parses = reads_documents(rest)

    def page(self, place: Place | None, limit: int) -> Page:
        if self._sort.removeprefix("-") != "created":
            return self._sorted_page(place, limit)
        rows = self._rows(place, self._limit(limit))
        fitting = [row for row in rows if self._fits(row)]
        if len(fitting) > limit:
            return Page([lines.line(row) for row in fitting[:limit]], next=self._after(fitting[limit - 1]))
        found = [lines.line(row) for row in fitting]
        if self._parses and len(rows) == self._limit(limit):
            go_on = self._after(rows[-1])
            return Page(found, searched=len(rows), go_on=go_on)
        if self._rest.is_true:
            return Page(found)
        end = self._end_of_window(place, fitting[-1] if fitting else None)
        return Page(found, searched=self._window, go_on=end) if end else Page(found)

    def _limit(self, limit: int) -> int:
        return PARSED if self._parses else limit + 1

    def _rows(self, place: Place | None, limit: int) -> list[Sequence[Any]]:
        inner, values = self._newest(place)
        columns = [*lines.NAMES, f"substr(error, 1, {lines.ERROR_SHOWN})"]
        checks: list[Condition] = []
        if self._parses:
            columns += [f"CASE WHEN length({name}) <= {LONGEST} THEN {name} END" for name in ("payload", "result")]
            checks = [condition(term, self._database.dialect) for term in self._column_terms()]
            columns += [check.sql for check in checks]
        sql = f"SELECT {', '.join(columns)} FROM ({inner}) AS newest WHERE {self._rest.sql} {self._order()} LIMIT ?"  # noqa: S608
        checked = [value for check in checks for value in check.values]
        return self._run(sql, *checked, *values, *self._rest.values, limit)

    def _newest(self, place: Place | None) -> tuple[str, list[Any]]:
        behind, values = self._behind(place)
        needed = sorted({*lines.NAMES, "error"} | ({"payload", "result"} if reads_text(self._expression) else set()))
        sql = f"SELECT {', '.join(needed)} FROM tasks WHERE {self._chosen.sql}{behind} {self._order()} LIMIT ?"  # noqa: S608
        return sql, [*self._chosen.values, *values, self._window]

    def _behind(self, place: Place | None) -> tuple[str, list[Any]]:
        if place is None:
            return "", []
        sign = "<" if self._sort.startswith("-") else ">"
        # The first comparison is for the index, the second one parts what was created in the same microsecond.
        return (
            f" AND created_at {sign}= ? AND (created_at, task_id) {sign} (?, ?)",
            [place.created_at, place.created_at, place.task_id],
        )

    def _order(self) -> str:
        way = "DESC" if self._sort.startswith("-") else "ASC"
        return f"ORDER BY created_at {way}, task_id {way}"

    def _end_of_window(self, place: Place | None, last: Sequence[Any] | None) -> str | None:
        """Return from where to go on; None: the window reached the end of the table.

        An index alone tells it, without the ids: where several tasks were created in the same microsecond, they are
        looked at again. None of them is shown again: the cursor is never before the last task that was shown.
        """
        descending = self._sort.startswith("-")
        behind, values = (
            ("", []) if place is None else (f" AND created_at {'<' if descending else '>'}= ?", [place.created_at])
        )
        way = "DESC" if descending else "ASC"
        sql = (
            f"SELECT created_at FROM tasks WHERE {self._chosen.sql}{behind}"  # noqa: S608
            f" ORDER BY created_at {way} LIMIT 1 OFFSET ?"
        )
        found = self._run(sql, *self._chosen.values, *values, self._window)
        if not found:
            return None
        moment = moment_of(found[0][0]) + (TICK if descending else -TICK)
        if last is not None:
            shown = moment_of(last[lines.NAMES.index("created_at")])
            if shown < moment if descending else shown > moment:
                return self._after(last)
        return Place(words_of(moment), "", self._sort).encoded()

    def _fits(self, row: Sequence[Any]) -> bool:
        if not self._parses:
            return True
        at = len(lines.NAMES) + 1
        known = dict(zip(self._column_terms(), (bool(value) for value in row[at + 2 :]), strict=True))
        return Documents(row[at], row[at + 1]).fit(self._expression, known)

    def _column_terms(self) -> list[Term]:
        return list(dict.fromkeys(term for term in terms(self._expression) if term.field not in DOCUMENTS))

    def _sorted_page(self, place: Place | None, limit: int) -> Page:
        if self._parses:
            raise SearchError("A search in messages or results can only be sorted by created.", 0)
        anchor = place.anchor if place and place.anchor else words_of(datetime.now(UTC) + TICK)
        column, descending = SORTS[self._sort.removeprefix("-")], self._sort.startswith("-")
        way = "DESC" if descending else "ASC"
        inner, inner_values = self._by_creation()._newest(Place(anchor, "", "-created"))
        behind, values = behind_value(place, column, "<" if descending else ">")
        columns = ", ".join([*lines.NAMES, f"substr(error, 1, {lines.ERROR_SHOWN})"])
        sql = (
            f"SELECT {columns} FROM (SELECT * FROM ({inner}) AS newest WHERE {self._rest.sql}"  # noqa: S608
            f" ORDER BY created_at DESC, task_id DESC LIMIT {SORTED}) AS found WHERE {behind}"
            f" ORDER BY ({column} IS NULL), {column} {way}, task_id {way} LIMIT ?"
        )
        rows = self._run(sql, *inner_values, *self._rest.values, *values, limit + 1)
        found = [lines.line(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return Page(found, searched=None)
        last = rows[limit - 1]
        value = last[lines.NAMES.index(column)]
        shown = words_of(value) if isinstance(value, datetime) else value
        return Page(found, next=Place(words_of(last[5]), last[0], self._sort, shown, anchor).encoded())

    def _by_creation(self) -> _Query:
        window = SORTED if self._rest.is_true else self._window
        return _Query(self._database, self._words, self._expression, "-created", window)

    def _after(self, row: Sequence[Any]) -> str:
        return Place(words_of(row[lines.NAMES.index("created_at")]), row[0], self._sort).encoded()

    def _run(self, sql: str, *values: Any) -> list[Sequence[Any]]:
        return self._database.run(lambda connection: self._words.rows(connection, sql, *values))


def _place(cursor: str, sort: str) -> Place:
    """Return the place of a cursor whose value is one of the column by which the list is sorted.

    Raises:
      SearchError: It names none.
    """
    place, field, right = decoded(cursor, sort=sort), sort.removeprefix("-"), True
    if place.value is not None and field in TIMES:
        right = isinstance(place.value, str) and _is_moment(place.value)
    elif place.value is not None:
        right = isinstance(place.value, int | float if field in NUMBERS else str)
    if not right:
        raise not_ours()
    return place


def _is_moment(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
        return moment.tzinfo is not None and words_of(moment) == text
    except (ValueError, OverflowError):
        return False
