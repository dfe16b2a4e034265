"""What each class is owed of a limit, however much the classes above it ask for.

A class has a second limit beside each that it takes, which grants its share of the first and no more. While that one
has room, the class may reach further ahead than any other, and so goes first; else its own reach counts. Nobody is
charged for what another class does not use.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from growbin_jobs.limit_names import TOKENS, USER
from growbin_jobs.limits.classes import INTERACTIVE, RequestClass
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.port import LimitStore

#: What the names of second limits begin with; they are kept beside the limits that people know.
SHARE: Final = "share:"

#: Seconds after which a limit is looked at again: it may have been changed at run time.
_LOOK_EVERY: Final = 10.0


class Shares:
    """Keeps the second limits. One for each process; safe from any thread.

    Parameters:
      store: Where they are kept, beside the first.
      clock: Monotonic seconds.
    """

    def __init__(self, store: LimitStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: dict[str, float] = {}
        self._spacing: dict[str, float] = {}
        self._due: dict[tuple[str, ...], float] = {}
        self._sent: set[tuple[str, ...]] = set()

    def is_owed(self, of: RequestClass, costs: Mapping[str, float]) -> bool:
        """Return whether a request goes first, since its class is owed it; that stays so until :meth:`used`.

        Parameters:
          of: Its class.
          costs: Units by the limit's name.

        Raises:
          Deferred: The store is away.
        """
        shares = _shares(of, costs)
        if not shares:
            return False
        key, now = tuple(shares), self._clock()
        if key in self._sent:
            return True
        if self._due.get(key, 0.0) > now:
            return False
        self._make(of, shares, now)
        # By itself and now, not together with the first limits: those would be charged when the share has room.
        answer = self._store.take({share: costs[name] for share, name in shares.items()})
        if answer.decision.granted:
            self._sent.add(key)
        self._due[key] = now + answer.decision.wait
        return answer.decision.granted

    def used(self, of: RequestClass, costs: Mapping[str, float]) -> None:
        """Note that a request went which was owed."""
        self._sent.discard(tuple(_shares(of, costs)))

    def next_due(self, of: RequestClass, costs: Mapping[str, float]) -> float:
        """Return the seconds until a class is owed something again; infinite for the first one."""
        due = self._due.get(tuple(_shares(of, costs)))
        return float("inf") if due is None else max(due - self._clock(), 0.0)

    def _make(self, of: RequestClass, named: Mapping[str, str], now: float) -> None:
        with self._lock:
            old = [share for share in named if now - self._looked.get(share, -_LOOK_EVERY) >= _LOOK_EVERY]
            self._looked |= dict.fromkeys(old, now)
        if not old:
            return
        first = {limit.name: limit for limit in self._store.find([named[share] for share in old])}
        new = [
            Limit(share, first[named[share]].spacing / of.share, first[named[share]].burst)
            for share in old
            if named[share] in first and self._spacing.get(share) != first[named[share]].spacing
        ]
        if new:
            self._store.ensure(new)
            self._spacing |= {limit.name: first[named[limit.name]].spacing for limit in new}


def _shares(of: RequestClass, costs: Mapping[str, float]) -> dict[str, str]:
    """The second limits of a class, each with the name of the first; a user's own limit has none."""
    if of is INTERACTIVE:
        return {}
    first = [name for name in sorted(costs) if not name.removeprefix(TOKENS).startswith(USER)]
    return {f"{SHARE}{name}/{of.name}": name for name in first}
