"""What each class is owed of a limit, however much the classes above it ask for.

A class has a second limit beside each that it takes, which grants its share of the first and no more. While that one
has room, the class may reach further ahead than any other, and so goes first; else its own reach counts. Nobody is
charged for what another class does not use.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from growbin_jobs.limits.classes import INTERACTIVE, RequestClass
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.named import TOKENS, USER
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
        self._due: dict[str, float] = {}

    def owed(self, of: RequestClass, costs: Mapping[str, float]) -> dict[str, float] | None:
        """Return what a request takes that goes first, for its class is owed it: its costs, and the same of the shares.

        Returns:
          None where the class is owed nothing now.

        Raises:
          Deferred: The store is away.
        """
        if of is INTERACTIVE:
            return None
        named = {_name(name, of): name for name in costs if not name.removeprefix(TOKENS).startswith(USER)}
        now = self._clock()
        if not named or any(self._due.get(share, 0.0) > now for share in named):
            return None
        self._make(of, named, now)
        return {**costs, **{share: costs[name] for share, name in named.items()}}

    def used_up(self, limit: str, seconds: float) -> bool:
        """Note that a limit decided against a request; return whether it was a share.

        Parameters:
          limit: Its name.
          seconds: Until it has room again.
        """
        if not limit.startswith(SHARE):
            return False
        self._due[limit] = self._clock() + seconds
        return True

    def next_due(self, of: RequestClass, costs: Mapping[str, float]) -> float:
        """Return the seconds until a class is owed something again that it was refused; infinite for the first one."""
        moments = [self._due[share] for name in costs if (share := _name(name, of)) in self._due]
        return max(max(moments) - self._clock(), 0.0) if moments else float("inf")

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


def _name(limit: str, of: RequestClass) -> str:
    return f"{SHARE}{limit}/{of.name}"
