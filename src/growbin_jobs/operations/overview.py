"""How the work goes: throughput, failures, waits and runs of some hours, now or at any past minute.

It reads the figures of minutes, and of hours those of five, that the keepers make; of the last minutes, which have none
yet, the tasks themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.minutes import Minutes, TaskMinute, added, percentile, together
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.queue_minutes import QueueMinute, QueueMinutes
from growbin_jobs.engine.central.rollup import SPANS
from growbin_jobs.engine.central.search.expressions import Term
from growbin_jobs.engine.central.search.recent_runs import recent_runs
from growbin_jobs.engine.central.search.task_search import Count, TaskSearch
from growbin_jobs.engine.central.spans import Spans
from growbin_jobs.engine.delivery.records import TaskState

#: What an overview shows.
SPAN: Final = timedelta(hours=1)

#: Queues of which it is said how deep they were, the deepest.
_QUEUES: Final = 20

#: Parts of an actor's trend.
_TREND: Final = 30

#: Outcomes of runs that did not go well; what was put off is no end at all.
_FAILED: Final = ("failed", "crashed")
_PUT_OFF: Final = ("deferred", "pending", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spreads:
    """Waits and runs in seconds, by half and by 95 of 100; None where nothing is known."""

    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MinutePoint:
    """One step of the time.

    Attributes:
      at: Its beginning.
      done, failed, dead: Runs that ended so; a crash is a failure.
    """

    at: datetime
    done: int
    failed: int
    dead: int
    spreads: Spreads


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorLine:
    """One actor in the time.

    Attributes:
      rate: Failures among its ends, from 0 to 1.
      trend: Ends in equal parts of the time, oldest first.
    """

    actor: str
    ends: int
    failures: int
    rate: float
    spreads: Spreads
    trend: list[int]


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
    ends, failures = sum(each.runs for each in figures), sum(each.runs for each in figures if _is_bad(each))
    return Overview(
        since=since,
        until=last,
        step=step,
        ends=ends,
        failures=failures,
        rate=failures / ends if ends else None,
        per_minute=ends * 60 / (end - begin),
        spreads=_spreads(figures),
        sampled=sampled,
        minutes=_points(figures, begin, end, step),
        actors=_actors(figures, begin, end),
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


def _is_bad(figures: TaskMinute) -> bool:
    return figures.outcome == "dead" or figures.outcome in _FAILED


def _spreads(figures: Iterable[TaskMinute]) -> Spreads:
    its = list(figures)
    wait, run = added(each.wait_buckets for each in its), added(each.run_buckets for each in its)
    return Spreads(
        wait_p50=percentile(wait, 0.5), wait_p95=percentile(wait, 0.95), run_p50=percentile(run, 0.5),
        run_p95=percentile(run, 0.95),
    )  # fmt: skip


def _points(figures: Iterable[TaskMinute], begin: int, end: int, step: int) -> list[MinutePoint]:
    by_step: defaultdict[datetime, list[TaskMinute]] = defaultdict(list)
    for each in figures:  # which are added up by the step
        by_step[each.minute].append(each)
    return [
        MinutePoint(
            at=at,
            done=sum(each.runs for each in by_step[at] if not _is_bad(each)),
            failed=sum(each.runs for each in by_step[at] if each.outcome in _FAILED),
            dead=sum(each.runs for each in by_step[at] if each.outcome == "dead"),
            spreads=_spreads(by_step[at]),
        )
        for at in (datetime.fromtimestamp(second, UTC) for second in range(begin, end, step))
    ]


def _actors(figures: Sequence[TaskMinute], begin: int, end: int) -> list[ActorLine]:
    by_actor: defaultdict[str, list[TaskMinute]] = defaultdict(list)
    for each in figures:
        by_actor[each.task_name].append(each)
    parts = {at: _part(at, begin, end) for at in {each.minute for each in figures}}
    found = []
    for actor, its in by_actor.items():
        ends, failures = sum(each.runs for each in its), sum(each.runs for each in its if _is_bad(each))
        trend = [0] * _TREND
        for each in its:
            trend[parts[each.minute]] += each.runs
        found.append(
            ActorLine(
                actor=actor, ends=ends, failures=failures, rate=failures / ends if ends else 0.0, trend=trend,
                spreads=_spreads(its),
            )
        )  # fmt: skip
    return sorted(found, key=lambda line: (-line.ends, line.actor))


def _part(at: datetime, begin: int, end: int) -> int:
    """Return in which part of a trend a moment lies."""
    return min(_TREND - 1, max(0, int((at.timestamp() - begin) * _TREND / (end - begin))))
