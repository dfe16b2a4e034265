"""Limits in this process's memory: for tests and for one process alone."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from growbin_jobs.limits.gcra import Limit, decide
from growbin_jobs.limits.port import Answer, Charge
from growbin_jobs.limits.requests import check_request


class MemoryLimits:
    """See :class:`growbin_jobs.limits.port.LimitStore`.

    Parameters:
      clock: Seconds.
      horizon: Seconds ahead that anybody may reserve.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, horizon: float = 3600.0) -> None:
        self._clock = clock
        self._horizon = horizon
        self._lock = threading.Lock()
        self._limits: dict[str, Limit] = {}

    def ensure(self, limits: Iterable[Limit]) -> None:
        with self._lock:
            for limit in limits:
                known = self._limits.get(limit.name, limit)
                self._limits[limit.name] = replace(known, spacing=limit.spacing, burst=limit.burst)

    def take(self, costs: Mapping[str, float], *, patience: float = 0.0, reserve: bool = False) -> Answer:
        with self._lock:
            asked = [self._limits[name] for name in sorted(costs) if name in self._limits]
            check_request(asked, costs)
            decision, changed = decide(
                asked, costs, self._clock(), patience=patience, reserve=reserve, horizon=self._horizon
            )
            charges = tuple(Charge(each.name, self._limits[each.name].tat, each.version) for each in changed)
            self._limits.update({limit.name: limit for limit in changed})
            return Answer(decision, charges)

    def give_back(self, charges: Iterable[Charge]) -> bool:
        undone = True
        with self._lock:
            for charge in charges:
                limit = self._limits[charge.name]
                if limit.version == charge.version:
                    self._limits[charge.name] = replace(limit, tat=charge.before, version=limit.version + 1)
                else:
                    undone = False
        return undone

    def hold(self, name: str, seconds: float) -> float:
        with self._lock:
            limit, now = self._limits[name], self._clock()
            until = max(limit.held_until, now + seconds)
            self._limits[name] = replace(limit, held_until=until)
            return until - now

    def find(self, names: Iterable[str]) -> list[Limit]:
        with self._lock:
            return [self._limits[name] for name in sorted(set(names)) if name in self._limits]

    def limits(self) -> list[Limit]:
        with self._lock:
            return [self._limits[name] for name in sorted(self._limits)]
