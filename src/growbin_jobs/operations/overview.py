"""How the work goes: throughput, failures, waits and runs of some hours, now or at any past minute.

It reads the figures of minutes, and of hours those of five, that the keepers make; of the last minutes, which have none
yet, the tasks themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.minutes import Minutes, TaskMinute, together
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.queue_minutes import QueueMinute, QueueMinutes
from growbin_jobs.engine.central.rollup import SPANS
from growbin_jobs.engine.central.search.expressions import Term
from growbin_jobs.engine.central.search.recent_runs import recent_runs
from growbin_jobs.engine.central.search.task_search import Count, TaskSearch
from growbin_jobs.engine.central.spans import Spans
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.operations.run_figures import (
    ActorLine,
    MinutePoint,
    Spreads,
    actors_of,
    is_bad,
    points_of,
    spreads_of,
)

#: What an overview shows.
SPAN: Final = timedelta(hours=1)

#: Queues of which it is said how deep they were, the deepest.
_QUEUES: Final = 20

#: What was put off is no end at all.
_PUT_OFF: Final = ("deferred", "pending", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Some hours.

    Attributes:
      since, until: Of the ends that are counted.
      step: Seconds of one point.
      ends, failures: Of runs in it.
      rate: Failures among the ends, from 0 to 1; None where nothing ended.
      per_minute: Ends a minute.
      sampled: Of the last minutes only the newest ends were read, so that numbers are too small.
      minutes: One for each step, also those without ends.
      actors: Those with most ends first.
      queues: What the broker said of the deepest queues, by the step; where there is no row it was not asked.
    """

    since: datetime
    until: datetime
    step: int
    ends: int
    failures: int
    rate: float | None
    per_minute: float
    spreads: Spreads
    sampled: bool
    minutes: list[MinutePoint]
    actors: list[ActorLine]
    queues: list[QueueMinute]


def overview(database: Database, *, until: datetime, span: timedelta = SPAN) -> Overview:
    """Return what ended in the time before a moment.

    Parameters:
      database: The central one.
      until: Aware; rounded up to the minute.
      span: How long, in whole minutes.

    Raises:
      Deferred: The database is away.
    """
    step = int((MINUTE if span <= timedelta(hours=2) else SPANS.long).total_seconds())
    end = -(-int(until.timestamp()) // step) * step
    begin = end - max(1, int(span.total_seconds()) // step) * step
    since, last = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
    figures, sampled = _figures(database, since, last, timedelta(seconds=step))
    ends, failures = sum(each.runs for each in figures), sum(each.runs for each in figures if is_bad(each))
    return Overview(
        since=since,
        until=last,
        step=step,
        ends=ends,
        failures=failures,
        rate=failures / ends if ends else None,
        per_minute=ends * 60 / (end - begin),
        spreads=spreads_of(figures),
        sampled=sampled,
        minutes=points_of(figures, begin, end, step),
        actors=actors_of(figures, begin, end),
        queues=QueueMinutes(database).read(since, last, deepest=_QUEUES, step=timedelta(seconds=step)),
    )


def state_counts(search: TaskSearch) -> dict[str, Count]:
    """Return how many tasks are in each state, each counted up to a cap.

    Raises:
      Deferred: The database is away.
    """
    return {state.value: search.count(Term("state", "is", state.value)) for state in TaskState}


def _figures(database: Database, since: datetime, until: datetime, step: timedelta) -> tuple[list[TaskMinute], bool]:
    if step == SPANS.long:
        made, tail = Spans(database).read(since, until)
    else:
        made = Minutes(database).read(since, until)
        tail = max((each.minute for each in made), default=since - MINUTE) + MINUTE
    young, sampled = recent_runs(database, tail, until) if tail < until else ([], False)
    # Added up by the step first: all that is told is told by the step, by the actor or of the whole.
    return together((each for each in (*made, *young) if each.outcome not in _PUT_OFF), step), sampled
