"""Ends a worker process in which something got lost because there was no memory, as if it had been killed.

An actor that finds no memory fails, and its message runs again. But where a thread of the process itself, or under
gevent what should have woken a greenlet, ends for that reason, somebody waits for ever: a process that takes no message
any more, and says nothing. So it ends, and whoever supervises it starts another.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from dramatiq.worker import ConsumerThread, WorkerThread

from growbin_jobs.engine.middleware.open_files import end_process
from growbin_jobs.engine.threads import gevent_active

_WHY = "Something in it ended since there was no memory."

#: Threads that are replaced when they die (:mod:`growbin_jobs.engine.middleware.watch`).
_REPLACED = (WorkerThread, ConsumerThread)


def end_when_memory_is_lost() -> None:
    """Watch over this process's threads, greenlets and callbacks from now on. More than once does no harm."""
    if getattr(threading.excepthook, "__name__", "") == _of_thread.__name__:
        return
    _Before.thread, threading.excepthook = threading.excepthook, _of_thread
    _Before.other, sys.unraisablehook = sys.unraisablehook, _of_other
    if gevent_active():
        from gevent.hub import Hub

        hubs: Any = Hub
        handle = hubs.handle_error

        def handle_error(hub: Any, context: Any, kind: Any, value: Any, traceback: Any) -> None:
            _end_if_lost(kind)
            handle(hub, context, kind, value, traceback)

        hubs.handle_error = handle_error


class _Before:
    """What was called until then."""

    thread: Any = None
    other: Any = None


def _of_thread(args: Any) -> None:
    if not isinstance(args.thread, _REPLACED):
        _end_if_lost(args.exc_type)
    _Before.thread(args)


def _of_other(args: Any) -> None:
    _end_if_lost(args.exc_type)
    _Before.other(args)


def _end_if_lost(kind: Any) -> None:
    if isinstance(kind, type) and issubclass(kind, MemoryError):
        end_process(_WHY)
