"""Logs from native threads under gevent without taking a lock of gevent's: a greenlet writes their records.

gevent makes greenlet locks of logging's locks, and of those behind ``threading.current_thread``, which each record asks
for its thread. A native thread that waits for one of them may wait for a greenlet that waits for this thread. So a
native thread only puts what it says on a native queue, and wakes a greenlet of the hub, which logs it.

Where gevent is not active nothing is changed.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from _queue import Empty, SimpleQueue  # gevent replaces queue.SimpleQueue
from contextlib import suppress
from typing import Any, NamedTuple

from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.threads import gevent_active, native

#: Records that wait at most. A native thread that logs in a loop must not fill the memory while the hub is busy.
MOST = 10_000


class _Said(NamedTuple):
    logger: logging.Logger
    level: int
    message: object
    args: Any
    details: dict[str, Any]
    at: float


class _NativeSafeLogger(logging.Logger):
    """A logger whose methods put what native threads say on the queue."""

    _cache: dict[int, bool]  # of logging since 3.7: answers by level, emptied whenever a level changes

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 of logging
        # Its own method takes logging's lock whenever the answer is not in its cache. To look into that takes none, and
        # nearly every line that libraries ask for is answered there.
        known = self._cache.get(level)
        if known is not None:
            return known and not self.disabled
        if _queue_of_this_thread() is None:
            return super().isEnabledFor(level)
        enabled = self.manager.disable < level and level >= self.getEffectiveLevel()
        self._cache[level] = enabled
        return enabled and not self.disabled

    def _log(self, level: int, msg: object, args: Any, **details: Any) -> None:  # type: ignore[override]
        queue = _queue_of_this_thread()
        if queue is None:
            details["stacklevel"] = details.get("stacklevel", 1) + 1
            super()._log(level, msg, args, **details)
            return
        error = details.get("exc_info")
        if error and not isinstance(error, BaseException | tuple):
            details["exc_info"] = sys.exc_info()
        queue.put(_Said(self, level, msg, args, details, time.time()))


class _NativeSafeRoot(_NativeSafeLogger, logging.RootLogger):
    """The root of all loggers."""


def says_it_later() -> bool:
    """Return True where what this thread logs is written by a greenlet, when its turn comes."""
    return bool(_installed) and _queue_of_this_thread() is not None


class _LogQueue:
    """What native threads have said, and the greenlet that logs it."""

    def __init__(self) -> None:
        import gevent

        self._spawn = gevent.spawn
        self._thread = _get_ident()
        self._waiting: SimpleQueue[_Said] = SimpleQueue()
        self._writing = False
        # It must not keep the hub from ending, and is never closed: a signal to a closed watcher may crash.
        self._watcher = gevent.get_hub().loop.async_(ref=False)
        self._watcher.start(self._woken)
        atexit.register(self._write)

    @property
    def is_mine(self) -> bool:
        """True in the thread of the hub."""
        return bool(_get_ident() == self._thread)

    def put(self, said: _Said) -> None:
        """Let the greenlet log it, in a native thread."""
        if self._waiting.qsize() < MOST:
            self._waiting.put(said)
            self._watcher.send()

    def _woken(self) -> None:
        # In the hub, which must not wait for a lock.
        if not self._writing:
            self._writing = True
            self._spawn(self._write)

    def _write(self) -> None:
        while self._writing or not self._waiting.empty():
            try:
                said = self._waiting.get_nowait()
            except Empty:
                self._writing = False  # then one more look: whoever says something after that wakes another greenlet
                continue
            with suppress(Exception):  # of a filter; handlers deal with their own
                _write(said)


def _write(said: _Said) -> None:
    details = said.details
    record = said.logger.makeRecord(
        said.logger.name, said.level, "(native thread)", 0, said.message, said.args, details.get("exc_info") or None,
        extra=details.get("extra"),
    )  # fmt: skip
    record.created, record.threadName = said.at, "native"
    record.msecs = (said.at - int(said.at)) * 1000
    said.logger.handle(record)


_get_ident = native("_thread", "get_ident")
_queue = once_a_process(_LogQueue)
_installed: list[None] = []


def _queue_of_this_thread() -> _LogQueue | None:
    """Return the queue for a native thread; None where logging may do its work itself."""
    queue = _queue()
    return None if queue.is_mine else queue


def install_native_logging() -> None:
    """Make all loggers of the process safe for native threads; under gevent only, and in the thread of its hub.

    Loggers of classes that libraries have derived themselves stay as they are.
    """
    if not gevent_active():
        return
    _queue()  # its watcher belongs to this thread's hub
    if _installed:
        return
    _installed.append(None)
    logging.setLoggerClass(_NativeSafeLogger)
    for logger in list(logging.root.manager.loggerDict.values()):
        if type(logger) is logging.Logger:
            logger.__class__ = _NativeSafeLogger
    logging.root.__class__ = _NativeSafeRoot
