"""Which runs this process knows of: a message that is delivered twice to it runs once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar
from weakref import ref

from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.records import TaskHistory, TaskState


class Identified(Protocol):
    """What tells a delivery's run from others."""

    @property
    def message_id(self) -> str:
        """The message."""

    @property
    def options(self) -> dict[str, Any]:
        """With its counts."""


D = TypeVar("D", bound=Identified)

#: A message and which of its runs: a retry has the same id and is another run.
Key = tuple[str, int, int]


#: Counts from here on are somebody's joke, and SQLite has no room for all of them.
MOST = 2**31


def counted(options: dict[str, Any], name: str) -> int:
    """Return a counter of a message's options; anybody may have put anything there, and then nothing was counted."""
    value = options.get(name, 0)
    return value if isinstance(value, int) and 0 <= value < MOST else 0


def key_of(delivery: Identified) -> Key:
    """Return which run of which message a delivery asks for."""
    options = delivery.options
    if not options:  # nearly always, and all of this is done for each message
        return delivery.message_id, 0, 0
    return delivery.message_id, counted(options, "retries"), counted(options, "deferrals")


def has_ended(delivery: Identified, known: TaskHistory) -> bool:
    """Has this very run of a message ended here before?

    A message that has failed is delivered again as its own retry, which counts one more; what counts no more than the
    journal is an old delivery. After a crash the counts say nothing: then it is run.
    """
    if known.state is TaskState.COMPLETED:
        return True
    if known.state not in (TaskState.FAILED, TaskState.DEAD) or known.crashes:
        return False
    _, retries, deferrals = key_of(delivery)
    return retries <= known.retry_count and deferrals <= known.deferrals


_REQUEUE = Disposition.REQUEUE  # found once: Python 3.11 takes long to find a member in its class


class Run(Generic[D]):
    """One run of a message, however often it was delivered here.

    The first delivery that asks runs; all others, for instance what the broker delivers again after a reconnect while
    the first still runs, wait for its end and share its fate. No locks: taking from a list is atomic, and each
    delivery is taken by one. Lists, since a deque has room for 64 from the start, and there is a run for each message.
    """

    __slots__ = ("__weakref__", "_chances", "_disposition", "_settle", "_waiting", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self._chances: list[None] = [None]
        self._waiting: list[D] = []
        self._disposition: Disposition | None = None
        self._settle: Callable[[D, Disposition], None]

    def take(self) -> bool:
        """Return True to the one who may run it."""
        try:
            self._chances.pop()
        except IndexError:
            return False
        return True

    def wait(self, delivery: D) -> None:
        """Settle a delivery that does not run as soon as the one that runs is settled."""
        self._waiting.append(delivery)
        if self._disposition is not None:
            self._settle_waiting(self._disposition)

    def end(self, disposition: Disposition, settle: Callable[[D, Disposition], None]) -> None:
        """Let the others, also those that come later, share the disposition on the one that ran.

        Parameters:
          disposition: ``REQUEUE`` lets another one run.
          settle: Called with each of the others and the disposition.
        """
        self._settle = settle  # first: whoever sees a disposition needs it
        if disposition is _REQUEUE:
            self._chances.append(None)  # the next delivery may try
        else:
            self._disposition = disposition
        self._settle_waiting(disposition)

    def _settle_waiting(self, disposition: Disposition) -> None:
        while self._waiting:  # nearly never, and an exception takes longer than to look
            try:
                delivery = self._waiting.pop(0)
            except IndexError:
                return
            self._settle(delivery, disposition)


class _Reference(ref[Run[D]]):
    """A run that lasts as long as its deliveries do, and what it is known by."""

    __slots__ = ("key",)

    key: Key


class Runs(Generic[D]):
    """All runs of deliveries that this process has not settled yet, or that somebody still holds.

    What ``WeakValueDictionary`` does, for a fifth of its time: that one is written in Python.
    """

    def __init__(self) -> None:
        self._runs: dict[Key, _Reference[D]] = {}

    def of(self, delivery: D) -> Run[D]:
        """Return the run that a delivery asks for."""
        key = key_of(delivery)
        while True:
            known = self._runs.get(key)
            if known is None:
                run: Run[D] = Run(key)
                known = _Reference(run, self._forget)
                known.key = key
                # setdefault, since another thread may have made it meanwhile.
                known = self._runs.setdefault(key, known)
            found = known()
            if found is not None:
                return found
            self._forget(known)  # it has just ended, and another thread is about to do this

    def _forget(self, reference: _Reference[D]) -> None:
        if self._runs.get(reference.key) is reference:
            try:
                del self._runs[reference.key]
            except KeyError:
                return
