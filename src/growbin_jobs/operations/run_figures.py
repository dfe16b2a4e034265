"""Works out how runs went from the figures of minutes: by the step, by the actor, and how long they waited and took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from growbin_jobs.engine.central.minutes import TaskMinute, added, percentile

#: Parts of an actor's trend.
_TREND: Final = 30

#: Outcomes of runs that failed; a dead letter did not go well either.
_FAILED: Final = ("failed", "crashed")


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


def is_bad(figures: TaskMinute) -> bool:
    """Return whether runs of an outcome did not go well."""
    return figures.outcome == "dead" or figures.outcome in _FAILED


def spreads_of(figures: Iterable[TaskMinute]) -> Spreads:
    """Return the waits and runs of figures together."""
    its = list(figures)
    wait, run = added(each.wait_buckets for each in its), added(each.run_buckets for each in its)
    return Spreads(
        wait_p50=percentile(wait, 0.5), wait_p95=percentile(wait, 0.95), run_p50=percentile(run, 0.5),
        run_p95=percentile(run, 0.95),
    )  # fmt: skip


def points_of(figures: Iterable[TaskMinute], begin: int, end: int, step: int) -> list[MinutePoint]:
    """Return one point for each step of a time, also those without ends.

    Parameters:
      figures: Of the time, added up by the step.
      begin, end: Seconds since 1970.
      step: Seconds of one point.
    """
    by_step: defaultdict[datetime, list[TaskMinute]] = defaultdict(list)
    for each in figures:
        by_step[each.minute].append(each)
    return [
        MinutePoint(
            at=at,
            done=sum(each.runs for each in by_step[at] if not is_bad(each)),
            failed=sum(each.runs for each in by_step[at] if each.outcome in _FAILED),
            dead=sum(each.runs for each in by_step[at] if each.outcome == "dead"),
            spreads=spreads_of(by_step[at]),
        )
        for at in (datetime.fromtimestamp(second, UTC) for second in range(begin, end, step))
    ]


def actors_of(figures: Sequence[TaskMinute], begin: int, end: int) -> list[ActorLine]:
    """Return how each actor did in a time, those with most ends first.

    Parameters:
      figures: Of the time.
      begin, end: Seconds since 1970.
    """
    by_actor: defaultdict[str, list[TaskMinute]] = defaultdict(list)
    for each in figures:
        by_actor[each.task_name].append(each)
    parts = {at: _part(at, begin, end) for at in {each.minute for each in figures}}
    found = []
    for actor, its in by_actor.items():
        ends, failures = sum(each.runs for each in its), sum(each.runs for each in its if is_bad(each))
        trend = [0] * _TREND
        for each in its:
            trend[parts[each.minute]] += each.runs
        found.append(
            ActorLine(
                actor=actor, ends=ends, failures=failures, rate=failures / ends if ends else 0.0, trend=trend,
                spreads=spreads_of(its),
            )
        )  # fmt: skip
    return sorted(found, key=lambda line: (-line.ends, line.actor))


def _part(at: datetime, begin: int, end: int) -> int:
    """Return in which part of a trend a moment lies."""
    return min(_TREND - 1, max(0, int((at.timestamp() - begin) * _TREND / (end - begin))))
