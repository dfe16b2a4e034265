"""The statement that reads counted failures of a time: hours that lie in it whole, and minutes around them.

Of whole UTC days there are sums (:mod:`growbin_jobs.engine.central.error_days`), which this statement leaves out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.error_counts import HOUR, hour_of, stored
from growbin_jobs.engine.central.rollup import DAYS

_COLUMNS: Final = "cause, node, runs, dead, first_at, last_at, sample"
_NOT_DUE: Final = "NOT EXISTS (SELECT 1 FROM minutes_due WHERE minutes_due.minute = error_minutes.minute)"
_HOURS: Final = f"SELECT hour AS at, {_COLUMNS} FROM error_hours WHERE hour >= ? AND hour < ?"  # noqa: S608 constants
_MINUTES: Final = f"SELECT minute AS at, {_COLUMNS} FROM error_minutes WHERE {_NOT_DUE}"  # noqa: S608 constants only


def whole_days(since: datetime, until: datetime) -> set[datetime]:
    """Return the UTC days that lie in a time whole."""
    first = DAYS.begin(since + DAYS.long - timedelta(microseconds=1))
    return {first + number * DAYS.long for number in range((DAYS.begin(until) - first) // DAYS.long)}


def counts_of(
    since: datetime, until: datetime, due: Collection[str], days: Collection[datetime]
) -> tuple[str, list[str]]:
    """Return the statement for all counts of a time but those of some days: of hours, and of minutes around them.

    Parameters:
      due: Hours of which something was counted since they were, or is to be: of these, too, minutes are read.
      days: That are read as days.
    """
    first, last = hour_of(since + HOUR - timedelta(microseconds=1)), hour_of(until)
    ends = [stored(since), stored(until)]
    edge = f"{_MINUTES} AND hour >= ? AND hour < ? AND minute >= ? AND minute < ?"
    if first >= last:
        return edge, [stored(hour_of(since)), ends[1], *ends]
    statements, values = [], []
    within = sorted(hour for hour in due if stored(first) <= hour < stored(last))
    marks = ", ".join("?" * len(within))
    for begin, end in _between(first, last, sorted(days)):
        statements.append(f"{_HOURS} AND hour NOT IN ({marks})" if within else _HOURS)
        values += [stored(begin), stored(end), *within]
    if within:
        statements.append(f"{_MINUTES} AND hour IN ({marks})")
        values += within
    values += [stored(hour_of(since)), stored(first), ends[0], stored(first)]
    values += [stored(last), ends[1], stored(last), ends[1]]
    return " UNION ALL ".join((*statements, edge, edge)), values


def _between(first: datetime, last: datetime, days: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Yield what lies in a time and in none of some days of it, in order."""
    for day in days:
        if first < day:
            yield first, day
        first = day + DAYS.long
    if first < last:
        yield first, last
