"""A list of tasks by a search, as far as somebody wants to read it at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.search.grammar import parse
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_search import MOST_LINES, TaskSearch
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.operations.lost_tasks import meaning_lost, with_lost

#: Tasks that are looked at where few fit.
MOST_SEARCHED: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTasks:
    """What a search has found.

    Attributes:
      tasks: Those that fit, in order.
      more: There are more of them, or may be.
      searched: Only the newest so many tasks were looked at; None: all, or enough were found.
    """

    tasks: list[TaskLine]
    more: bool
    searched: int | None


def found_tasks(
    database: Database, search: str, config: EngineConfig, *, limit: int, sort: str = "-created"
) -> FoundTasks:
    """Return the tasks that fit a search.

    Parameters:
      database: The central one.
      search: In the language of :mod:`growbin_jobs.engine.central.search.grammar`; empty: all.
      config: Of the engine: in its zone times are meant that have none.
      limit: At most so many.
      sort: A field, with ``-`` for the greatest first.

    Raises:
      SearchError: The search or the order cannot be read.
      Deferred: The database is away.
    """
    lost, pages = Lost(database, embedded=config.broker_url is None), TaskSearch(database)
    expression = meaning_lost(lost, parse(search, zone=ZoneInfo(config.timezone)))
    tasks: list[TaskLine] = []
    cursor, searched = None, 0
    while True:
        page = pages.page(expression, cursor=cursor, limit=min(limit - len(tasks), MOST_LINES), sort=sort)
        tasks += with_lost(lost, page.tasks)
        searched += page.searched or 0
        cursor = page.next or page.go_on
        if cursor is None:
            return FoundTasks(tasks=tasks, more=False, searched=None)
        if len(tasks) >= limit:
            return FoundTasks(tasks=tasks, more=True, searched=None)
        if searched >= MOST_SEARCHED:
            return FoundTasks(tasks=tasks, more=True, searched=searched)
