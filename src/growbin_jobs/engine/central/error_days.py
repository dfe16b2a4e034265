"""Failed runs of each UTC day, counted by cause (:mod:`growbin_jobs.engine.central.rollup`).

Pages of weeks read these in place of a row for each hour and node (:mod:`growbin_jobs.engine.central.error_figures`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import peewee

from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.rollup import DAYS, Sums
from growbin_jobs.engine.central.sql_words import SqlWords


class ErrorDays(Sums):
    """The table ``error_days``."""

    rollup = DAYS
    columns = ("day", "cause", "runs", "dead", "first_at", "last_at", "sample", "hours", "nodes")

    def _made(self, connection: peewee.Database, begin: Any, end: Any) -> list[tuple[Any, ...]]:
        columns = "cause, hour, node, runs, dead, first_at, last_at, sample"
        sql = f"SELECT {columns} FROM error_hours WHERE hour >= ? AND hour < ?"  # noqa: S608 constants only
        found: dict[int, _Sum] = {}
        for cause, hour, *rest in self._words.rows(connection, sql, begin, end):
            found.setdefault(cause, _Sum()).add(known_moment(hour).hour, *rest)
        return [(begin, cause, *found[cause].row()) for cause in sorted(found)]


@dataclass(slots=True)
class _Sum:
    runs: int = 0
    dead: int = 0
    first_at: Any = None
    last_at: Any = None
    sample: str = ""
    hours: list[int] = field(default_factory=lambda: [0] * 24)
    nodes: Counter[str] = field(default_factory=Counter)

    def add(self, hour: int, node: str, runs: int, dead: int, first: Any, last: Any, sample: str) -> None:
        self.runs, self.dead = self.runs + runs, self.dead + dead
        self.hours[hour] += runs
        self.nodes[node] += runs
        self.first_at = first if self.first_at is None else min(self.first_at, first)
        if self.last_at is None or last > self.last_at:
            self.last_at, self.sample = last, sample

    def row(self) -> tuple[Any, ...]:
        """Return its columns behind day and cause."""
        documents = (json.dumps(self.hours), json.dumps(self.nodes, ensure_ascii=False))
        return (self.runs, self.dead, self.first_at, self.last_at, self.sample, *documents)


class CauseDay(NamedTuple):
    """The failed runs of one cause on one day.

    Attributes:
      day: Its number, :meth:`growbin_jobs.engine.central.rollup.Rollup.number`.
      hours: Of each of its 24.
    """

    day: int
    cause: int
    sample: str
    hours: list[int]
    nodes: dict[str, int]


def read_days(connection: Any, words: SqlWords, days: Sequence[datetime], causes: Sequence[int]) -> Iterator[CauseDay]:
    """Yield what some days have of some causes, in no order."""
    if not days or not causes:
        return
    # Numbers of days: a page of weeks has thousands of rows, and time takes twice as long as all else of one.
    number = "extract(epoch FROM day)::bigint" if words.dialect == "postgresql" else "unixepoch(day)"
    sql = (
        f"SELECT {number} / 86400, cause, sample, hours, nodes FROM error_days"  # noqa: S608 constants and marks
        f" WHERE day IN ({_marks(days)}) AND cause IN ({_marks(causes)})"
    )
    rows = words.rows(connection, sql, *map(stored_moment, days), *causes)
    documents = iter(json.loads(f"[{','.join(text for row in rows for text in row[3:])}]"))
    for day, cause, sample, *_ in rows:
        yield CauseDay(day, cause, sample, next(documents), next(documents))


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
