"""Ends an actor that runs for too long, or whose worker is told to stop, and never anything else."""

from __future__ import annotations

import ctypes
import functools
import math
import threading
import time
import weakref
from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.middleware import Interrupt, Shutdown, TimeLimitExceeded
from dramatiq.middleware import TimeLimit as DramatiqTimeLimit

from growbin_jobs.engine import events
from growbin_jobs.engine.control.aborted import Aborted
from growbin_jobs.engine.errors import GrowbinError
from growbin_jobs.engine.foreign_errors import can_be_judged
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.threads import gevent_active

#: Seconds between two looks at the clock, at least: how much longer than its limit an actor may run.
INTERVAL = 0.5

#: Seconds of one sleep at most, where nothing is to be done sooner: what is more a lock does not take.
LONGEST = 3600.0


def make_interrupts() -> Interrupts:
    """Return this process's interrupts, for its kind of workers."""
    return _OfGreenlets() if gevent_active() else _OfThreads()


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


class _OfThreads(Interrupts):
    """For threads, by an exception that CPython raises in them at their next instruction.

    Set under the lock that :meth:`stop` takes, so that there is none that was decided on and is still to come.
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


class _OfGreenlets(Interrupts):
    """For greenlets, by throwing into them from the hub while they wait."""

    def __init__(self) -> None:
        from gevent import getcurrent

        super().__init__(getcurrent)

    def stop(self) -> None:
        me = self._me()
        self._deadlines.pop(me, None)
        self._messages.pop(me, None)
        self._notified.discard(me)

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


#: Of the next call of an actor's function in this thread or greenlet: the seconds of its message and its id; None: it
#: is no message that runs. A context variable, since under gevent each look at a local one takes its time.
_message: ContextVar[tuple[float, str] | None] = ContextVar("time_limit", default=None)

#: It is told of a shutdown.
notified: ContextVar[bool] = ContextVar("notify_shutdown", default=False)


#: Told to an application that adds another middleware of this purpose: what it does instead.
INSTEAD = "Give each actor its time_limit and notify_shutdown, or change them in a middleware of your own."


class TimeLimit(InPlaceOf, DramatiqTimeLimit):
    """Raise ``TimeLimitExceeded`` in an actor that exceeds its ``time_limit`` (milliseconds).

    The clock runs inside the actor's own call (:mod:`growbin_jobs.engine.middleware.time_limit`).
    """

    stock = DramatiqTimeLimit
    replaceable = INSTEAD
    only_failures = True  # where the actor was called, its limit is gone

    def __init__(self, *, time_limit: float = 600_000) -> None:
        # Not the base class's: it makes a thread, and this one makes its own in each process that runs something.
        self.time_limit = time_limit
        self.interrupts = once_a_process(make_interrupts)
        self._seconds: dict[str, float] = {}  # of messages without options, by actor

    def adopt(self, other: Any) -> None:
        self.time_limit = other.time_limit
        self._seconds.clear()

    def after_process_boot(self, broker: Broker) -> None:
        """Nothing to start; see the clocks."""

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:
        actor.fn = self._limited(actor.fn)
        self._seconds.pop(actor.actor_name, None)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if message.failed:
            return
        seconds = None if message.options else self._seconds.get(message.actor_name)
        if seconds is None:
            options = broker.get_actor(message.actor_name).options
            seconds = (message.options.get("time_limit") or options.get("time_limit") or self.time_limit) / 1000
            if not message.options:
                self._seconds[message.actor_name] = seconds
        _message.set((seconds, message.message_id))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        _message.set(None)

    after_skip_message = after_process_message

    def _limited(self, actor: Callable[..., Any]) -> Callable[..., Any]:
        interrupts = self.interrupts

        @functools.wraps(actor)
        def run(*args: Any, **kwargs: Any) -> Any:
            message, mine = _message.get(), None
            # Not where it is called directly, or by another actor whose clock runs already.
            if message is not None:
                _message.set(None)
                if on_shutdown := notified.get():
                    notified.set(False)
                mine = interrupts()
            try:
                if message is not None and mine is not None:
                    mine.start(message[0], on_shutdown=on_shutdown, message_id=message[1])
                return actor(*args, **kwargs)
            except BaseException as error:
                if can_be_judged(error):
                    raise
                # Dramatiq asks in its handler of errors, where that would end the worker thread.
                raise GrowbinError(f"{type(error).__name__} was raised, which does not tell its class.") from None
            finally:
                if mine is not None:
                    mine.stop()

        return run
