"""Threads, with gevent and without: work kept off its hub, originals of what it has patched, signals, nested calls.

Under gevent one greenlet that decodes a picture or waits for SQLite's lock stops all others. :func:`offload` runs
such work in gevent's native thread pool; in a threaded worker it just calls it, since each thread blocks only itself.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any, ParamSpec, Protocol, TypeVar

from growbin_jobs.engine.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")

_pools: dict[str, Any] = {}


def gevent_active() -> bool:
    """Return True where the standard library is monkey-patched, without importing gevent for the question."""
    monkey = sys.modules.get("gevent.monkey")
    return bool(monkey and monkey.is_module_patched("threading"))


def refuse_late_patch(made_active: bool) -> None:
    """Refuse to use in greenlets what was made before gevent patched the process, as by gunicorn's ``preload_app``.

    Its locks are those of a whole thread: two greenlets that meet at one stop all others of the process for ever.

    Parameters:
      made_active: What :func:`gevent_active` said when it was made.

    Raises:
      ConfigurationError: The sentence says what to do.
    """
    if not made_active and gevent_active():
        raise ConfigurationError(
            "gevent has patched Python after growbin_jobs was imported. Call gevent.monkey.patch_all() before: for "
            "gunicorn's preload_app at the top of gunicorn.conf.py, for uWSGI by gevent-early-monkey-patch."
        )


def offload(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that blocks for a short while (a file, SQLite) and return its result."""
    return offload_to("default", 16, call, *args, **kwargs)


def offload_to(pool: str, size: int, call: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    """Like :func:`offload`, in a pool of its own that runs at most ``size`` calls at the same time.

    Parameters:
      pool: The pool's name; the first call of a process makes it.
      size: Native threads of the pool.
    """
    if not gevent_active():
        return call(*args, **kwargs)
    if pool not in _pools:
        from gevent.threadpool import ThreadPool

        _pools[pool] = ThreadPool(size)
    value, error = _pools[pool].apply(_outcome, (call, args, kwargs))
    if error is not None:
        raise error
    result: R = value
    return result


def _outcome(call: Callable[..., R], args: Any, kwargs: Any) -> tuple[R | None, BaseException | None]:
    """What became of a call, as a value: gevent prints what a pool's thread raises, with all arguments of the call."""
    try:
        return call(*args, **kwargs), None
    except BaseException as error:
        return None, error


class NeverNested:
    """Calls of which a thread, or greenlet, makes no second one in the middle of the first one.

    A handler of a signal, or a finalizer, runs in the middle of any other code, so also where a ``send`` holds locks.
    It would wait for what it has interrupted itself, for ever, and with it all other threads that send.

    To be made after gevent has patched the process: what is a thread's own is a greenlet's own only then.
    """

    def __init__(self) -> None:
        self._here = threading.local()

    def __call__(self, send: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Call what sends.

        Raises:
          RuntimeError: This thread is in such a call already. Nothing was sent.
        """
        if getattr(self._here, "sends", False):
            raise RuntimeError(
                "This thread is sending already: a handler of a signal, or a finalizer, has interrupted it. Nothing "
                "was sent. Send in a thread that the handler starts, or note what is to be sent and send it afterwards."
            )
        self._here.sends = True
        try:
            send(*args, **kwargs)
        finally:
            self._here.sends = False


class Signal(Protocol):
    """Set once by one thread, waited for by another."""

    def set(self) -> Any:
        """Wake the waiter; from any native thread."""

    def wait(self) -> Any:
        """Wait for it, in the thread that made it; under gevent only the calling greenlet waits."""


def make_signal() -> Signal:
    """Return a signal for the calling thread or greenlet to wait for."""
    return _HubSignal() if gevent_active() else threading.Event()


class _HubSignal:
    """Wakes a greenlet from another native thread."""

    def __init__(self) -> None:
        from gevent import get_hub
        from gevent.event import Event

        self._event = Event()
        # Started before anyone can send, and closed only after that: a signal to a watcher that does not listen is
        # lost, one to a closed watcher may crash. A started one also tells the hub that there is something to wait for.
        self._watcher = get_hub().loop.async_()
        self._watcher.start(self._arrived)

    def _arrived(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        self._event.set()

    def set(self) -> None:
        self._watcher.send()

    def wait(self) -> None:
        self._event.wait()


def native(module: str, name: str) -> Any:
    """Return the original of something that gevent may have replaced."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey.get_original(module, name) if monkey else getattr(import_module(module), name)
