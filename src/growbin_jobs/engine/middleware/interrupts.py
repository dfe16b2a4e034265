"""Raises an exception in an actor that another thread wants to end, and in nothing else.

Dramatiq's own timers strike up to an interval after the actor has ended: inside the bookkeeping, where that loses the
message and ends the worker thread (Bogdanp/dramatiq#445). These are started inside the actor's own call, strike at most
once, and are stopped before that call returns, whatever happens: who is struck at the very end has a failed actor, as
if it had been struck a moment earlier.

Blocking system calls and C code are not interrupted, and computing greenlets are not either.
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Hashable
from typing import Any

from dramatiq.middleware import Interrupt, Shutdown, TimeLimitExceeded

from growbin_jobs.engine import events
from growbin_jobs.engine.threads import gevent_active

#: Seconds between two looks at the clock: how much longer than its limit an actor may run.
INTERVAL = 0.5


def make_interrupts() -> Interrupts:
    """Return this process's interrupts, for its kind of workers."""
    return _OfGreenlets() if gevent_active() else _OfThreads()


class Interrupts:
    """Who runs now, by thread or greenlet, until when, and whether it is told of a shutdown."""

    def __init__(self) -> None:
        self._deadlines: dict[Any, float] = {}
        self._notified: set[Any] = set()
        self._lock = threading.Lock()
        self._stopping = False
        threading.Thread(target=self._run, name="time-limits", daemon=True).start()

    def start(self, seconds: float, *, on_shutdown: bool = False) -> None:
        """Let the caller be struck from now on.

        Parameters:
          seconds: After so many; ``inf``: never.
          on_shutdown: Also when the worker is told to stop.

        Raises:
          Shutdown: If it was told already.
        """
        me = self._me()
        self._deadlines[me] = time.monotonic() + seconds
        if on_shutdown:
            self._notified.add(me)
            if self._stopping:
                raise Shutdown

    def stop(self) -> None:
        """Let the caller not be struck any more: it is not after this has returned."""
        raise NotImplementedError

    def shut_down(self) -> None:
        """Strike all that want to know."""
        self._stopping = True
        for whom in list(self._notified):
            self._strike(whom, Shutdown)

    def begin(self) -> None:
        """Forget an earlier shutdown: a worker starts."""
        self._stopping = False

    def _me(self) -> Hashable:
        raise NotImplementedError

    def _strike(self, whom: Any, exception: type[Interrupt]) -> None:
        raise NotImplementedError

    def _may_strike(self, whom: Any, exception: type[Interrupt]) -> bool:
        deadline = self._deadlines.get(whom)
        if deadline is None:
            return False
        return whom in self._notified if exception is Shutdown else deadline <= time.monotonic()

    def _run(self) -> None:
        while True:
            time.sleep(INTERVAL)
            now = time.monotonic()
            for whom, deadline in list(self._deadlines.items()):
                if deadline <= now:
                    events.TIME_LIMIT_EXCEEDED.emit(thread=whom if isinstance(whom, int) else id(whom))
                    self._strike(whom, TimeLimitExceeded)


class _OfThreads(Interrupts):
    """For threads, by an exception that CPython raises in them at their next instruction.

    Set under the lock that :meth:`stop` takes, so that there is none that was decided on and is still to come.
    """

    def __init__(self) -> None:
        self._struck: set[int] = set()
        super().__init__()

    def stop(self) -> None:
        me = threading.get_ident()
        # An exception on its way may be raised in any of these lines. It leaves the lock open, and was the only one.
        with self._lock:
            self._deadlines.pop(me, None)
            self._notified.discard(me)
            if me in self._struck:
                self._struck.discard(me)
                _set_exception(me, None)

    def _me(self) -> int:
        return threading.get_ident()

    def _strike(self, whom: int, exception: type[Interrupt]) -> None:
        with self._lock:
            if whom not in self._struck and self._may_strike(whom, exception):
                self._struck.add(whom)
                self._deadlines[whom] = math.inf
                _set_exception(whom, exception)


class _OfGreenlets(Interrupts):
    """For greenlets, by throwing into them from the hub while they wait."""

    def stop(self) -> None:
        me = self._me()
        self._deadlines.pop(me, None)
        self._notified.discard(me)

    def _me(self) -> Hashable:
        from gevent import getcurrent

        me: Hashable = getcurrent()
        return me

    def _strike(self, whom: Any, exception: type[Interrupt]) -> None:
        from gevent import get_hub

        get_hub().loop.run_callback(self._throw, whom, exception)

    def _throw(self, whom: Any, exception: type[Interrupt]) -> None:
        # In the hub: the greenlet waits for something. It may have ended, or run something else by now.
        if self._may_strike(whom, exception):
            del self._deadlines[whom]
            self._notified.discard(whom)
            whom.throw(exception)


def _set_exception(thread: int, exception: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(exception) if exception is not None else None
    )
