"""Native threads beside gevent: what it has replaced, and how they wake its greenlets."""

from __future__ import annotations

import sys
import threading
from importlib import import_module
from typing import Any, Protocol

from growbin_jobs.engine.threads import gevent_active


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
