"""End an actor that runs for too long, and never anything else."""

from __future__ import annotations

import ctypes
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from dramatiq import Actor
from dramatiq.broker import Broker
from dramatiq.middleware import TimeLimit as DramatiqTimeLimit
from dramatiq.middleware.time_limit import TimeLimitExceeded

from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.threads import gevent_active

logger = logging.getLogger(__name__)

#: Seconds between two looks at the clock: how much longer than its limit an actor may run.
INTERVAL = 0.5


class TimeLimit(DramatiqTimeLimit):
    """Raise ``TimeLimitExceeded`` in an actor that exceeds its ``time_limit`` (milliseconds).

    Dramatiq's own strikes up to an interval after the actor has ended: inside the bookkeeping, where it loses the
    message and ends the worker thread (Bogdanp/dramatiq#445). Here the clock runs inside the actor's own call, strikes
    at most once, and is stopped before that call returns, whatever happens: who is struck at the very end has a failed
    actor, as if it had been struck a moment earlier.

    Blocking system calls and C code are not interrupted, and computing greenlets are not either.
    """

    def __init__(self, *, time_limit: float = 600_000) -> None:
        # Not the base class's: it makes a thread, and this one makes its own in each process that runs something.
        self.time_limit = time_limit
        self._local = threading.local()
        self._clock = once_a_process(_GreenletClock if gevent_active() else _ThreadClock)

    def after_process_boot(self, broker: Broker) -> None:
        """Nothing to start; see the clocks."""

    def after_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:
        actor.fn = self._limited(actor.fn)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        options = broker.get_actor(message.actor_name).options
        limit = message.options.get("time_limit") or options.get("time_limit", self.time_limit)
        self._local.limit = None if math.isinf(limit) else limit / 1000

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        self._local.limit = None

    after_skip_message = after_process_message

    def _limited(self, actor: Callable[..., Any]) -> Callable[..., Any]:
        local, clock = self._local, self._clock

        @functools.wraps(actor)
        def run(*args: Any, **kwargs: Any) -> Any:
            limit = getattr(local, "limit", None)
            if limit is None:  # called directly, or by another actor whose clock runs already
                return actor(*args, **kwargs)
            local.limit = None
            mine = clock()
            try:
                mine.start(limit)
                return actor(*args, **kwargs)
            finally:
                mine.stop()

        return run


class _Clock:
    """Deadlines of who runs now, by thread or greenlet."""

    def __init__(self) -> None:
        self._deadlines: dict[Any, float] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="time-limits", daemon=True).start()

    def start(self, seconds: float) -> None:
        """Start the caller's clock."""
        self._deadlines[self._me()] = time.monotonic() + seconds

    def stop(self) -> None:
        """Stop the caller's clock: it does not strike after this has returned."""
        raise NotImplementedError

    def _me(self) -> Hashable:
        raise NotImplementedError

    def _strike(self, whom: Any) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        while True:
            time.sleep(INTERVAL)
            now = time.monotonic()
            for whom, deadline in list(self._deadlines.items()):
                if deadline <= now:
                    logger.warning("actor.time_limit_exceeded thread=%r", whom)
                    self._strike(whom)


class _ThreadClock(_Clock):
    """For threads, by an exception that CPython raises in them at their next instruction.

    Set under the lock that :meth:`stop` takes, so that there is none that was decided on and is still to come.
    """

    _STRUCK = math.inf

    def stop(self) -> None:
        me = threading.get_ident()
        # An exception on its way may be raised in any of these lines. It leaves the lock open, and was the only one.
        with self._lock:
            if self._deadlines.pop(me, None) == self._STRUCK:
                _set_exception(me, None)

    def _me(self) -> int:
        return threading.get_ident()

    def _strike(self, whom: int) -> None:
        with self._lock:
            if self._deadlines.get(whom, self._STRUCK) <= time.monotonic():
                self._deadlines[whom] = self._STRUCK
                _set_exception(whom, TimeLimitExceeded)


class _GreenletClock(_Clock):
    """For greenlets, by throwing into them from the hub while they wait."""

    def stop(self) -> None:
        self._deadlines.pop(self._me(), None)

    def _me(self) -> Hashable:
        from gevent import getcurrent

        me: Hashable = getcurrent()
        return me

    def _strike(self, whom: Any) -> None:
        from gevent import get_hub

        get_hub().loop.run_callback(self._throw, whom)

    def _throw(self, whom: Any) -> None:
        # In the hub: the greenlet waits for something. It may have ended, or run something else by now.
        if self._deadlines.get(whom, math.inf) <= time.monotonic():
            del self._deadlines[whom]
            whom.throw(TimeLimitExceeded)


def _set_exception(thread: int, exception: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(exception) if exception is not None else None
    )
