"""Keeps who runs until when, and strikes who is late or told to stop.

Threads are struck here, greenlets in :mod:`growbin_jobs.engine.middleware.greenlet_interrupts`.
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
import weakref
from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from typing import Any

from dramatiq.middleware import Interrupt, Shutdown, TimeLimitExceeded

from growbin_jobs.engine import events
from growbin_jobs.engine.control.aborted import Aborted

#: Seconds between two looks at the clock, at least: how much longer than its limit an actor may run.
INTERVAL = 0.5

#: Seconds of one sleep at most, where nothing is to be done sooner: what is more a lock does not take.
LONGEST = 3600.0


class Interrupts:
    """Who runs now, by thread or greenlet, until when, and whether it is told of a shutdown.

    Parameters:
      me: Returns the calling thread or greenlet.
    """

    def __init__(self, me: Callable[[], Hashable]) -> None:
        self._me = me
        self._deadlines: dict[Any, float] = {}
        self._notified: set[Any] = set()
        self._messages: dict[Any, str] = {}
        self._aborted: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._stopping = False
        self._look_at = math.inf  # when the thread looks next; until it says so, anybody wakes it
        self._sooner = sooner = threading.Lock()
        sooner.acquire()
        me = weakref.ref(self, lambda _: _wake(sooner))  # the thread ends when nobody has this any more
        threading.Thread(target=_look, args=(me, sooner), name="time-limits", daemon=True).start()

    def start(self, seconds: float, *, on_shutdown: bool = False, message_id: str = "") -> None:
        """Let the caller be struck from now on.

        Parameters:
          seconds: After so many; ``inf``: never.
          on_shutdown: Also when the worker is told to stop.
          message_id: What runs, for :meth:`abort`.

        Raises:
          Shutdown: If it was told already.
        """
        me = self._me()
        self._messages[me] = message_id  # first: who sees a deadline sees whose it is
        self._set_deadline(me, seconds)
        if on_shutdown:
            self._notified.add(me)
            if self._stopping:
                raise Shutdown

    def stop(self) -> None:
        """Let the caller not be struck any more: it is not after this has returned."""
        raise NotImplementedError

    def stand_still(self) -> float | None:
        """Stop the caller's clock; return the seconds that it has left, None where it has none."""
        me = self._me()
        deadline = self._deadlines.get(me)
        if deadline is None:
            return None
        self._deadlines[me] = math.inf
        return deadline - time.monotonic()

    def go_on(self, left: float | None) -> None:
        """Let the caller's clock run on.

        Parameters:
          left: What :meth:`stand_still` has returned.
        """
        me = self._me()
        if left is not None and me in self._deadlines:
            self._set_deadline(me, left)

    def _set_deadline(self, me: Any, seconds: float) -> None:
        self._deadlines[me] = deadline = time.monotonic() + seconds
        if deadline < self._look_at:
            _wake(self._sooner)

    def abort(self, message_ids: Collection[str]) -> None:
        """Strike all who run one of these messages; one run is struck once, however often this is called."""
        self._aborted = frozenset(message_ids)
        for whom, message_id in list(self._messages.items()):
            if message_id in self._aborted and whom in self._deadlines:
                self._strike(whom, Aborted)

    def shut_down(self) -> None:
        """Strike all that want to know."""
        self._stopping = True
        for whom in list(self._notified):
            self._strike(whom, Shutdown)

    def running(self) -> int:
        """Return how many run now."""
        return len(self._deadlines)

    def outlived(self) -> bool:
        """Return whether a run has outlived its time limit, and nobody could tell it: none gets a turn."""
        return any(deadline < time.monotonic() for deadline in tuple(self._deadlines.values()))

    def overdue(self) -> float:
        """Return since how many seconds the longest of those runs that was struck and has not stopped."""
        return 0.0

    def begin(self) -> None:
        """Forget an earlier shutdown: a worker starts."""
        self._stopping = False

    def _strike(self, whom: Any, exception: type[Interrupt]) -> None:
        raise NotImplementedError

    def _may_strike(self, whom: Any, exception: type[Interrupt]) -> bool:
        deadline = self._deadlines.get(whom)
        if deadline is None:
            return False
        if exception is Aborted:
            return self._messages.get(whom) in self._aborted
        return whom in self._notified if exception is Shutdown else deadline <= time.monotonic()

    def strike_late(self) -> None:
        """Strike all whose time is over."""
        now = time.monotonic()
        for whom, deadline in list(self._deadlines.items()):
            if deadline <= now:
                events.TIME_LIMIT_EXCEEDED.emit(thread=whom if isinstance(whom, int) else id(whom))
                self._strike(whom, TimeLimitExceeded)

    def next_deadline(self) -> float:
        """Return when the next one is late, for the thread that looks; whoever will be late sooner wakes it."""
        self._look_at = math.inf  # before the look: whoever comes after it, and before the next line, wakes us
        self._look_at = found = min(list(self._deadlines.values()), default=math.inf)
        return found


def _look(interrupts: weakref.ref[Interrupts], sooner: threading.Lock) -> None:
    """Look at the clock when somebody may be late, as long as somebody has these interrupts."""
    while True:
        found = interrupts()
        if found is None:
            return
        found.strike_late()
        left = found.next_deadline() - time.monotonic()
        del found
        sooner.acquire(timeout=min(max(left, INTERVAL), LONGEST))


def _wake(sooner: threading.Lock) -> None:
    """Let the thread look. A lock and no event, in whose lines an interrupt would leave a lock held."""
    with suppress(RuntimeError):  # it was woken already
        sooner.release()


class ThreadInterrupts(Interrupts):
    """Strikes threads, by an exception that CPython raises in them at their next instruction.

    It is set under the lock that :meth:`stop` takes, so that there is none that was decided on and is still
    to come.
    """

    def __init__(self) -> None:
        self._struck: dict[int, float] = {}  # when
        super().__init__(threading.get_ident)

    def stop(self) -> None:
        me = threading.get_ident()
        # An exception on its way may be raised in any of these lines. It leaves the lock open, and was the only one.
        with self._lock:
            self._deadlines.pop(me, None)
            self._messages.pop(me, None)
            self._notified.discard(me)
            if self._struck.pop(me, None) is not None:
                _set_exception(me, None)

    def overdue(self) -> float:
        return max((time.monotonic() - at for at in tuple(self._struck.values())), default=0.0)

    def _strike(self, whom: int, exception: type[Interrupt]) -> None:
        with self._lock:
            if whom not in self._struck and self._may_strike(whom, exception):
                self._struck[whom] = time.monotonic()
                self._deadlines[whom] = math.inf
                _set_exception(whom, exception)


def _set_exception(thread: int, exception: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(exception) if exception is not None else None
    )
