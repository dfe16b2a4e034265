"""Which tasks ``/api/tasks`` means: filters, order and place of a page in Flower's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.search.expressions import (
    ALL,
    Expression,
    Term,
    both,
    reads_documents,
    reads_text,
    without_messages,
)
from growbin_jobs.engine.central.search.flower_grammar import parse_flower
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_search import MOST_LINES, SORTED, TaskSearch
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.monitor.api.flower.arguments import Given, moment_of
from growbin_jobs.monitor.api.flower.states import in_celery_s_words, in_state
from growbin_jobs.monitor.api.flower.worker_names import on_worker
from growbin_jobs.monitor.security.refusals import BadInput

#: Tasks of one answer, and how far it may begin behind the newest one: as many as Flower keeps.
MOST: Final = 10_000
FARTHEST: Final = 100_000

#: Pages of the search that one answer may cost: where columns decide, and where texts must be read.
PAGES, TEXT_PAGES = 120, 30

#: What ``sort_by`` may be, in Flower's words and in those of our search.
SORTED_BY: Final = {"name": "actor", "state": "state", "received": "created", "started": "started"}
_VALUES: Final[dict[str, Callable[[TaskLine], Any]]] = {
    "actor": lambda line: line.task_name,
    "state": lambda line: line.status,
    "created": lambda line: line.created_at,
    "started": lambda line: line.started_at,
}


def expression_of(given: Given, engine: EngineConfig, *, messages: bool) -> Expression:
    """Return what the filters mean.

    Parameters:
      engine: Its zone is that of ``received_start`` and ``received_end``. Of an hour that comes twice, the first is
        where a time begins and the second where it ends, so that nothing is left out.
      messages: May the asker see messages and results?

    Raises:
      BadInput: A time is none.
      SearchError: The search cannot be read, or looks into what the asker may not see.
    """
    zone = ZoneInfo(engine.timezone)
    found: Expression = ALL
    if name := given.chosen("taskname"):
        found = both(found, Term("actor", "is", name))
    if state := given.chosen("state"):
        found = both(found, in_state(state))
    if worker := given.chosen("workername"):
        found = both(found, on_worker(worker, engine.groups))
    if start := given.text("received_start"):
        found = both(found, Term("created", ">=", moment_of("received_start", start, zone)))
    if end := given.text("received_end"):
        found = both(found, Term("created", "<=", moment_of("received_end", end, zone, late=True)))
    if search := given.text("search"):
        found = both(found, in_celery_s_words(parse_flower(search), engine.groups))
    return found if messages else without_messages(found)


def lines_of(search: TaskSearch, expression: Expression, given: Given) -> list[TaskLine]:
    """Return the tasks of an answer, in order; what has no value to sort by comes last.

    Raises:
      BadInput: The order or a number is none.
      Deferred: The database is away.
    """
    sort, descending = _sort(given)
    limit, offset = given.number("limit"), _offset(given)
    if offset > FARTHEST:
        raise BadInput(f"offset goes to {FARTHEST:,} only. Narrow the search by received_end, or use /api/v2/tasks.")
    limit = MOST if limit is None else min(limit, MOST)
    if limit == 0:
        return []
    sign = "-" if descending else ""
    if sort is None:
        return _read(search, expression, "-created", offset + limit)[offset:]
    if reads_documents(expression):  # then the table cannot sort
        found = _sorted(_read(search, expression, "-created", SORTED), _VALUES[sort], descending=descending)
        return found[offset : offset + limit]
    return _read(search, expression, f"{sign}{sort}", offset + limit)[offset:]


def _offset(given: Given) -> int:
    said = given.text("offset") or "0"
    if said.startswith("-") and said[1:].isdigit():  # as in Flower
        return 0
    return given.number("offset") or 0


def _sort(given: Given) -> tuple[str | None, bool]:
    said = given.text("sort_by")
    if said is None:
        return None, True
    column = SORTED_BY.get(said.removeprefix("-"))
    if column is None:
        raise BadInput(f"sort_by must be one of {', '.join(SORTED_BY)}, with - before it for the greatest first.")
    return column, said.startswith("-")


def _read(search: TaskSearch, expression: Expression, sort: str, number: int) -> list[TaskLine]:
    found: list[TaskLine] = []
    cursor: str | None = None
    for _ in range(TEXT_PAGES if reads_text(expression) else PAGES):
        page = search.page(expression, cursor=cursor, limit=min(MOST_LINES, number - len(found)), sort=sort)
        found += page.tasks
        cursor = page.next or page.go_on
        if cursor is None or len(found) >= number:
            break
    return found


def _sorted(lines: list[TaskLine], value: Callable[[TaskLine], Any], *, descending: bool) -> list[TaskLine]:
    known = [line for line in lines if value(line) is not None]
    known.sort(key=lambda line: (value(line), line.task_id), reverse=descending)
    return known + [line for line in lines if value(line) is None]
