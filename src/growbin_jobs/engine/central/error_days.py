"""Failed runs of each UTC day, counted by cause (:mod:`growbin_jobs.engine.central.rollup`).

Pages of weeks read these in place of a row for each hour and node (:mod:`growbin_jobs.engine.central.error_figures`).
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import peewee

from growbin_jobs.engine.central.error_figures import SAMPLES
from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.rollup import DAYS, Sums
from growbin_jobs.engine.central.sql_words import SqlWords

#: Causes that are remembered: each takes 8 bytes for each hour of its days.
_MOST: Final = 1000


class ErrorDays(Sums):
    """The table ``error_days``."""

    rollup = DAYS
    columns = ("day", "cause", "runs", "dead", "first_at", "last_at", "sample", "hours", "nodes", "made")

    def _made(self, connection: peewee.Database, begin: Any, end: Any) -> list[tuple[Any, ...]]:
        columns = "cause, hour, node, runs, dead, first_at, last_at, sample"
        sql = f"SELECT {columns} FROM error_hours WHERE hour >= ? AND hour < ?"  # noqa: S608 constants only
        found: dict[int, _Sum] = {}
        for cause, hour, *rest in self._words.rows(connection, sql, begin, end):
            found.setdefault(cause, _Sum()).add(known_moment(hour).hour, *rest)
        made = secrets.randbits(62) + 1  # no other day, and no other database, has the same
        return [(begin, cause, *found[cause].row(), made) for cause in sorted(found)]


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
        """Return its columns behind day and cause, but the last one."""
        documents = (json.dumps(self.hours), json.dumps(self.nodes, ensure_ascii=False))
        return (self.runs, self.dead, self.first_at, self.last_at, self.sample, *documents)


class CauseDays(NamedTuple):
    """The failed runs of one cause on some days. What is remembered is shared: nobody changes it.

    Attributes:
      hours: Of all hours of these days, in order.
      samples: A task of each day, with the day's place among them, the newest first.
    """

    hours: list[int]
    nodes: dict[str, int]
    samples: list[tuple[int, str]]


class _Remembered:
    """Sums over days that are over: a page that is open asks for the same every few seconds. For any thread.

    They are found by the numbers with which the days were made, so that a day that was made anew is another one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: OrderedDict[tuple[int, ...], dict[int, CauseDays]] = OrderedDict()

    def get(self, made: tuple[int, ...], causes: Iterable[int]) -> dict[int, CauseDays]:
        """Return what is remembered of some causes."""
        with self._lock:
            known = self._sums.get(made, {})
            return {cause: known[cause] for cause in causes if cause in known}

    def put(self, made: tuple[int, ...], found: Mapping[int, CauseDays]) -> None:
        """Remember the sums of some causes."""
        with self._lock:
            self._sums.setdefault(made, {}).update(found)
            self._sums.move_to_end(made)
            while len(self._sums) > 1 and sum(map(len, self._sums.values())) > _MOST:
                self._sums.popitem(last=False)
            if len(self._sums[made]) > _MOST:
                self._sums[made] = dict(found)


_remembered: Final = _Remembered()


def read_days(
    connection: Any, words: SqlWords, days: Sequence[datetime], causes: Sequence[int]
) -> dict[int, CauseDays]:
    """Return what some days, in order, have of each of some causes."""
    if not days or not causes:
        return {}
    made = _made_of(connection, words, days)
    if made is None:
        return _read(connection, words, days, causes)
    found = _remembered.get(made, causes)
    if new := _read(connection, words, days, [cause for cause in causes if cause not in found]):
        _remembered.put(made, new)
    return found | new


def _made_of(connection: Any, words: SqlWords, days: Sequence[datetime]) -> tuple[int, ...] | None:
    """Return the numbers with which days were made, 0 for one without rows; None: a release before made one of them."""
    stored: Any = [stored_moment(day) for day in days]
    listed = "unnest(?::timestamptz[]) WITH ORDINALITY AS days (value, key)"
    if words.dialect != "postgresql":
        stored, listed = json.dumps(stored), "json_each(?) AS days"
    one = "SELECT coalesce(made, -1) FROM error_days WHERE day = days.value ORDER BY cause LIMIT 1"
    sql = f"SELECT coalesce(({one}), 0) FROM {listed} ORDER BY days.key"  # noqa: S608 constants only
    numbers = tuple(number for (number,) in words.rows(connection, sql, stored))
    return None if -1 in numbers else numbers


def _read(connection: Any, words: SqlWords, days: Sequence[datetime], causes: Sequence[int]) -> dict[int, CauseDays]:
    if not causes:
        return {}
    # Numbers of days: a page of weeks has thousands of rows, and time takes twice as long as all else of one.
    number = "extract(epoch FROM day)::bigint" if words.dialect == "postgresql" else "unixepoch(day)"
    sql = (
        f"SELECT {number} / 86400, cause, sample, hours, nodes FROM error_days"  # noqa: S608 constants and marks
        f" WHERE day IN ({_marks(days)}) AND cause IN ({_marks(causes)})"
    )
    rows = words.rows(connection, sql, *map(stored_moment, days), *causes)
    documents = json.loads(f"[{','.join(text for row in rows for text in row[3:])}]")
    places = {DAYS.number(day): place for place, day in enumerate(days)}
    found = {cause: CauseDays([0] * (24 * len(days)), defaultdict(int), []) for cause in causes}
    for (day, cause, sample, *_), hours, nodes in zip(rows, documents[::2], documents[1::2], strict=True):
        place, its = places[day], found[cause]
        its.hours[24 * place : 24 * place + 24] = hours
        its.samples.append((place, sample))
        for node, runs in nodes.items():
            its.nodes[node] += runs
    for its in found.values():
        its.samples.sort(reverse=True)
        del its.samples[SAMPLES:]  # no more are ever shown
    return found


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
