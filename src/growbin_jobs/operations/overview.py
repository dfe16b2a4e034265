"""How the work goes: throughput, failures, waits and runs of an hour, now or at any past minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.expressions import Term
from growbin_jobs.engine.central.search.recent_runs import Run, recent_runs
from growbin_jobs.engine.central.search.task_search import Count, TaskSearch
from growbin_jobs.engine.delivery.records import TaskState

#: What an overview shows.
SPAN: Final = timedelta(hours=1)

#: A task that is in one of these has ended well or badly; ``failed`` is tried again.
_BAD: Final = ("dead", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class MinutePoint:
    """One minute. Waits and runs in seconds; None where nothing ended.

    Attributes:
      at: Its beginning, in seconds since 1970.
      done, failed, dead: Runs that ended so.
    """

    at: int
    done: int
    failed: int
    dead: int
    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorLine:
    """One actor in the time; waits and runs in seconds.

    Attributes:
      rate: Failures among its ends, from 0 to 1.
    """

    actor: str
    ends: int
    failures: int
    rate: float
    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None
    trend: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """An hour.

    Attributes:
      since, until: Of the ends that are counted.
      ends, failures: Of runs in it.
      rate: Failures among the ends, from 0 to 1; None where nothing ended.
      per_minute: Ends a minute.
      sampled: Only the newest ends were read, so that numbers are too small.
      minutes: One for each minute, also those without ends.
      actors: Those with most ends first.
    """

    since: datetime
    until: datetime
    ends: int
    failures: int
    rate: float | None
    per_minute: float
    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None
    sampled: bool
    minutes: list[MinutePoint]
    actors: list[ActorLine]


def overview(database: Database, *, until: datetime, span: timedelta = SPAN) -> Overview:
    """Return what ended in the time before a moment.

    Parameters:
      database: The central one.
      until: Aware; rounded up to the minute.
      span: How long, in whole minutes.

    Raises:
      Deferred: The database is away.
    """
    end = -(-int(until.timestamp()) // 60) * 60
    begin = end - int(span.total_seconds()) // 60 * 60
    since, last = datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
    runs, sampled = recent_runs(database, since, last)
    failures = sum(run.state in _BAD for run in runs)
    return Overview(
        since=since,
        until=last,
        ends=len(runs),
        failures=failures,
        rate=failures / len(runs) if runs else None,
        per_minute=len(runs) * 60 / (end - begin),
        **_spreads(runs),
        sampled=sampled,
        minutes=_minutes(runs, begin, end),
        actors=_actors(runs, begin, end),
    )


def state_counts(search: TaskSearch) -> dict[str, Count]:
    """Return how many tasks are in each state, each counted up to a cap.

    Raises:
      Deferred: The database is away.
    """
    return {state.value: search.count(Term("state", "is", state.value)) for state in TaskState}


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that a share of sorted values does not exceed (nearest rank)."""
    if not values:
        return None
    return values[min(len(values) - 1, max(0, -(-int(share * 100) * len(values) // 100) - 1))]


def _spreads(runs: Iterable[Run]) -> dict[str, float | None]:
    its = list(runs)
    waits = sorted(run.wait for run in its if run.wait is not None)
    works = sorted(run.run for run in its if run.run is not None)
    return {
        "wait_p50": percentile(waits, 0.5), "wait_p95": percentile(waits, 0.95),
        "run_p50": percentile(works, 0.5), "run_p95": percentile(works, 0.95),
    }  # fmt: skip


def _minutes(runs: Iterable[Run], begin: int, end: int) -> list[MinutePoint]:
    by_minute: defaultdict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_minute[int(run.at) // 60 * 60].append(run)
    found = []
    for at in range(begin, end, 60):
        its = by_minute[at]
        states = [run.state for run in its]
        found.append(
            MinutePoint(
                at=at, done=states.count("completed"), failed=states.count("failed"), dead=states.count("dead"),
                **_spreads(its),
            )
        )  # fmt: skip
    return found


def _actors(runs: Iterable[Run], begin: int, end: int) -> list[ActorLine]:
    by_actor: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_actor[run.actor].append(run)
    found = []
    for actor, its in by_actor.items():
        failures, trend = sum(run.state in _BAD for run in its), [0] * 30
        for run in its:
            trend[min(29, max(0, int((run.at - begin) * 30 / (end - begin))))] += 1
        found.append(
            ActorLine(
                actor=actor, ends=len(its), failures=failures, rate=failures / len(its), trend=trend, **_spreads(its)
            )
        )
    return sorted(found, key=lambda line: (-line.ends, line.actor))
