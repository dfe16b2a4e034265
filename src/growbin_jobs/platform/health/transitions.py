"""From what checks find to the state of a target: pure, with hysteresis, and each alert once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from growbin_jobs.platform.health.words import BAD, Finding, State

#: Checks that are remembered.
REMEMBERED: Final = 20

#: Seconds after which a target is checked again when its first or second failure, or its first success, is not enough
#: to change its state.
RECHECK: Final = 20.0

#: States whose alert may be followed by a worse one.
_MILD: Final[frozenset[State | None]] = frozenset({None, "degraded", "flapping"})


@dataclass(frozen=True, slots=True)
class Policy:
    """When a state changes.

    Attributes:
      every: Time between two checks. Where nobody checked for twice as long, the state is unknown.
      down_after: Failures in a row.
      up_after: Successes in a row.
      degraded_ms: The 95th percentile of remembered latencies above which a target is degraded.
      flapping_changes, flapping_failures: A target flaps from so many changes and so many failures among the
        remembered checks on; of failures in a row ``down_after`` count, since more are an outage. It ends with
        :data:`REMEMBERED` successes in a row, or twice ``down_after`` failures. Changes alone would not do: three
        single failures are six changes, which noise of 5 % makes every few days. 8 failures of 20 it makes once in 20
        years of checks every 10 minutes, and noise of 20 % once a day.
    """

    every: timedelta
    down_after: int = 3
    up_after: int = 2
    degraded_ms: int = 5000
    flapping_changes: int = 6
    flapping_failures: int = 8


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a target.

    Attributes:
      since: When it came into its state.
      failures, successes: In a row, up to now.
      recent: Remembered checks, the newest last: whether it succeeded, and its latency in milliseconds.
      checked_at: The last check.
      alerted: The state that people were told about and that has not ended.
    """

    state: State
    since: datetime
    failures: int = 0
    successes: int = 0
    recent: tuple[tuple[bool, int], ...] = ()
    checked_at: datetime | None = None
    alerted: State | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of state; ``alert``: people are told. Both states are the same where an alert was held back."""

    at: datetime
    before: State
    after: State
    reason: str
    alert: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What a check has changed; ``recheck_in``: seconds until the next one, where that should not wait its turn."""

    memory: Memory
    changes: tuple[Change, ...] = ()
    recheck_in: float | None = None


def observe(memory: Memory, finding: Finding | None, now: datetime, policy: Policy, *, quiet: bool = False) -> Observed:
    """Take in one check.

    Parameters:
      finding: What it found; None: the checker itself is offline, so that nothing is known.
      now: When it ended.
      quiet: A window of maintenance: nobody is told, until it is over.
    """
    gap = _gap(memory, now, policy)
    changes = [gap] if gap else []
    if gap:
        memory = replace(memory, state=gap.after, since=gap.at)
    if finding is None:
        after, reason = replace(memory, checked_at=now), "the checker is offline"
        state: State = "unknown"
        recheck = None
    else:
        after, reason = _counted(memory, finding, now), finding.reason or finding.status
        state = _state(after, finding, policy)
        recheck = _recheck(after, state, finding, policy)
    alert, alerted = _alert(after.alerted, state, quiet=quiet)
    if state != memory.state or alert:
        changes.append(Change(now, memory.state, state, reason, alert))
    since = memory.since if state == memory.state else now
    return Observed(replace(after, state=state, since=since, alerted=alerted), tuple(changes), recheck)


def _gap(memory: Memory, now: datetime, policy: Policy) -> Change | None:
    """A time in which nobody checked is no time in which all was well."""
    if memory.checked_at is None or memory.state == "unknown" or now - memory.checked_at <= 2 * policy.every:
        return None
    return Change(memory.checked_at + 2 * policy.every, memory.state, "unknown", "nobody checked", alert=False)


def _counted(memory: Memory, finding: Finding, now: datetime) -> Memory:
    succeeded = finding.status == "healthy"
    return replace(
        memory,
        failures=0 if succeeded else memory.failures + 1,
        successes=memory.successes + 1 if succeeded else 0,
        recent=(*memory.recent, (succeeded, finding.latency_ms))[-REMEMBERED:],
        checked_at=now,
    )


def _state(memory: Memory, finding: Finding, policy: Policy) -> State:
    """The state after a check was counted; ``memory.state`` is still the one before it."""
    if _flaps(memory, policy):
        return "flapping"
    if finding.status != "healthy":
        return finding.status if memory.failures >= policy.down_after or memory.state in _DOWN else memory.state
    if memory.state in _DOWN and memory.successes < policy.up_after:
        return memory.state
    return "degraded" if _slow(memory.recent, policy.degraded_ms) else "healthy"


_DOWN: Final[frozenset[State]] = frozenset({"unhealthy", "unreachable", "misconfigured"})


def _recheck(memory: Memory, state: State, finding: Finding, policy: Policy) -> float | None:
    if state == "flapping":
        return None
    if finding.status == "healthy":
        return RECHECK if state in _DOWN else None
    return RECHECK if memory.failures < policy.down_after and state not in _DOWN else None


def _alert(alerted: State | None, state: State, *, quiet: bool) -> tuple[bool, State | None]:
    """Return whether people are told of a state, and what they know afterwards."""
    if quiet or state == "unknown":
        return False, alerted
    if state in BAD:
        news = alerted is None or (alerted in _MILD and state in _DOWN)
        return news, state if news else alerted
    return alerted is not None, None


def _flaps(memory: Memory, policy: Policy) -> bool:
    if memory.state == "flapping":
        return memory.successes < REMEMBERED and memory.failures < 2 * policy.down_after
    if memory.successes > 1 or memory.failures > 1:  # this check has changed nothing
        return False
    rows = [(succeeded, len(list(row))) for succeeded, row in groupby(succeeded for succeeded, _ in memory.recent)]
    failures = sum(min(length, policy.down_after) for succeeded, length in rows if not succeeded)
    return len(rows) - 1 >= policy.flapping_changes and failures >= policy.flapping_failures


def _slow(recent: Sequence[tuple[bool, int]], limit_ms: int) -> bool:
    latencies = sorted(milliseconds for succeeded, milliseconds in recent if succeeded)
    return len(latencies) >= 5 and latencies[math.ceil(0.95 * len(latencies)) - 1] > limit_ms
