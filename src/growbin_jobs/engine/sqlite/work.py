"""Keeps a fork from happening while SQLite is at work in some other thread.

SQLite has mutexes of its own, for the whole process. One that is held at the fork stays locked in the child for ever:
its first statement hangs, on whatever file. A committer's thread has a lock for that; everything else that calls SQLite
in a process that may fork does so inside :func:`sqlite_work`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from growbin_jobs.engine.processes import fork_lock, watch_forks
from growbin_jobs.engine.threads import native

_allocate_lock = native("_thread", "allocate_lock")
_get_ident = native("_thread", "get_ident")


class _Work:
    """Work of all threads, each with a lock that it holds meanwhile."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._gate = _allocate_lock()
        self._locks: dict[Any, int] = {}
        self._awaited: list[Any] = []

    def begin(self) -> Any:
        lock = _allocate_lock()
        lock.acquire()
        with self._gate:
            self._locks[lock] = _get_ident()
        return lock

    def end(self, lock: Any) -> None:
        self._locks.pop(lock, None)
        lock.release()

    def pause(self) -> None:
        """Wait for all work but that of the thread that forks, and let nobody begin."""
        self._gate.acquire()
        self._awaited = [lock for lock, thread in tuple(self._locks.items()) if thread != _get_ident()]
        for lock in self._awaited:
            lock.acquire()

    def resume(self) -> None:
        for lock in self._awaited:
            lock.release()
        self._gate.release()

    def abandon(self) -> None:
        """In the child none of those threads exists; it may fork too."""
        self._begin_anew()
        watch_forks(self)


_work = _Work()
with fork_lock:
    watch_forks(_work)


@contextmanager
def sqlite_work() -> Iterator[None]:
    """Let a fork in another thread wait for what is done inside."""
    lock = _work.begin()
    try:
        yield
    finally:
        _work.end(lock)
