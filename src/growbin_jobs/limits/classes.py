"""Who goes first where a limit is used up: classes of requests, and how far ahead each may be granted.

A limit's line is a moment on the store's clock, and a grant moves it on. A class is granted only while its start lies
within its reach. So while a class with a longer reach asks, the line is longer than the reach of the classes below it,
and they wait; alone, each of them uses the whole limit. What a class is owed all the same is in
:mod:`growbin_jobs.limits.shares`.
"""

from dataclasses import dataclass
from typing import Final

#: Seconds after which waiting lengthens a class's reach no more.
_OLD: Final = 60.0


@dataclass(frozen=True, slots=True)
class RequestClass:
    """One class.

    Attributes:
      name: Such as ``interactive``.
      reach: Seconds ahead that it may be granted. A grant that lies ahead is charged in all its limits at its start, so
        a long reach of one purpose delays the others that share a limit with it.
      aged_reach: The same after a minute of waiting: of the processes that wait, the one that waited longest is first.
      threads: Part of a process's threads that may wait for it.
      share: Part of a limit that it gets in any case while it waits.
    """

    name: str
    reach: float
    aged_reach: float
    threads: float
    share: float

    def reach_after(self, waited: float) -> float:
        """Return the reach of a caller that has waited for some seconds."""
        return self.reach + (self.aged_reach - self.reach) * min(waited / _OLD, 1.0)


INTERACTIVE: Final = RequestClass("interactive", 1.5, 2.0, 0.5, 1.0)
RETRY: Final = RequestClass("retry", 0.8, 1.2, 0.5, 0.2)
BACKFILL: Final = RequestClass("backfill", 0.4, 0.6, 0.25, 0.1)
PROBE: Final = RequestClass("probe", 0.2, 0.3, 0.25, 0.02)

#: Seconds ahead that a class may be granted what it is owed: longer than any reach, so that it goes first.
OWED_REACH: Final = 2.5

#: What is asked for nobody who waits, by purpose.
_OF_PURPOSES: Final = {"probe": PROBE, "health": PROBE, "rehearsal": BACKFILL, "report": BACKFILL}


def class_of(purpose: str, *, retries: int = 0, bulk: bool = False) -> RequestClass:
    """Return the class of a request.

    Parameters:
      purpose: What the answer is for.
      retries: How often its message was retried.
      bulk: Whether its message came from a queue for bulk work.
    """
    if purpose in _OF_PURPOSES:
        return _OF_PURPOSES[purpose]
    if bulk:
        return BACKFILL
    return RETRY if retries > 0 else INTERACTIVE
