"""The generic cell rate algorithm (GCRA) for several limits at once: pure arithmetic on one clock.

Each limit remembers one moment, its theoretical arrival time (TAT): when it would be idle again. A request of cost c
may start at the latest of: now, the end of a hold, and ``max(TAT, now) + (c − burst) × spacing``. It is charged at the
moment when it starts, in all its limits alike: a limit that had room earlier must count it when it goes, not before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

#: Seconds of the longest hold: a window of a day, and what clocks vary. One that is longer comes from a clock that was
#: wrong, such as that of a server of the database when it started.
LONGEST_HOLD: Final = 90_000.0


@dataclass(frozen=True, slots=True)
class Limit:
    """One named limit.

    Attributes:
      name: Such as ``vision``, ``model:gpt-6-luna``, ``user:u-42``.
      spacing: Seconds between two units, from :func:`growbin_jobs.limits.parameters.spacing`.
      burst: Units that may go at once; no request may cost more.
      tat: The theoretical arrival time, in seconds of the store's clock.
      held_until: Nothing is granted before (a server that asked to wait); it only ever grows.
      version: Counts the changes of the TAT. Two grants can lead to the same TAT; a grant is undone by its version.
    """

    name: str
    spacing: float
    burst: float
    tat: float = 0.0
    held_until: float = 0.0
    version: int = 0


class Decision(NamedTuple):
    """What becomes of a request.

    Attributes:
      start: When it may start, on the store's clock.
      granted: True when that is soon enough; all limits are charged then. False: nothing is, but for a reservation.
      limit: The limit that decides when it may start.
      now: The store's clock.
    """

    start: float
    granted: bool
    limit: str
    now: float

    @property
    def wait(self) -> float:
        """Seconds until it may start."""
        return max(0.0, self.start - self.now)


def earliest_start(limit: Limit, cost: float, now: float, horizon: float) -> float:
    """Return when a request may start as far as one limit is concerned.

    Parameters:
      limit: The limit.
      cost: Units of the request, at most the limit's burst.
      now: The clock.
      horizon: Seconds ahead that anybody may reserve. A TAT further ahead comes from a clock that was wrong.
    """
    held_until = limit.held_until if limit.held_until - now <= LONGEST_HOLD else now
    return max(now, held_until, _tat(limit, now, horizon) + (cost - limit.burst) * limit.spacing)


def charged(limit: Limit, cost: float, start: float, now: float, horizon: float) -> Limit:
    """Return the limit after a request that starts at a moment."""
    tat = max(_tat(limit, now, horizon), start) + cost * limit.spacing
    return replace(limit, tat=tat, version=limit.version + 1)


def decide(
    limits: Sequence[Limit],
    costs: Mapping[str, float],
    now: float,
    *,
    patience: float = 0.0,
    reserve: bool = False,
    horizon: float = 3600.0,
) -> tuple[Decision, list[Limit]]:
    """Decide on one request that needs several limits: all of them or none.

    Parameters:
      limits: As they are.
      costs: Units in each of them.
      now: The clock.
      patience: Seconds that the request would wait for its start, once granted.
      reserve: When it must wait longer, take the next place in the line of the limit that decides, and only there.
      horizon: See :func:`earliest_start`.

    Returns:
      The decision, and the limits that changed.
    """
    starts = {limit.name: earliest_start(limit, costs[limit.name], now, horizon) for limit in limits}
    # Ties go to the name that comes first, so that every store names the same limit.
    last = min(starts, key=lambda name: (-starts[name], name))
    start = starts[last]
    granted = start <= now + patience
    reserved = not granted and reserve and start <= now + horizon
    changed = [
        charged(limit, costs[limit.name], start, now, horizon)
        for limit in limits
        if granted or (reserved and limit.name == last)
    ]
    return Decision(start, granted, last, now), changed


def _tat(limit: Limit, now: float, horizon: float) -> float:
    """The TAT, or now where it lies behind, or further ahead than anybody can have reserved."""
    ahead = limit.tat - now
    return limit.tat if 0 < ahead <= horizon + 2 * limit.burst * limit.spacing else now
