"""Waits for the end of processes, so that nobody need look for it ten times a second."""

from __future__ import annotations

import os
import select
from collections.abc import Iterable
from contextlib import suppress

#: Seconds between two looks where the system cannot tell of an end: elsewhere than on Linux, or without descriptors.
BLIND = 0.1


class Ends:
    """Tells when one of some processes ends. Wait in one thread; wake from any, or from a signal handler."""

    def __init__(self) -> None:
        self._watched: dict[int, int] = {}
        self._woken, self._waker = os.pipe()
        for end in (self._woken, self._waker):
            os.set_blocking(end, False)

    def wait(self, pids: Iterable[int], seconds: float) -> None:
        """Wait until one of the processes has ended, somebody wakes us, or the time is over.

        Parameters:
          pids: Children of this process that it has not waited for.
          seconds: At most.
        """
        wanted = set(pids)
        for pid in self._watched.keys() - wanted:
            os.close(self._watched.pop(pid))
        for pid in wanted - self._watched.keys():
            with suppress(AttributeError, OSError):
                self._watched[pid] = os.pidfd_open(pid)
        if self._watched.keys() < wanted:
            seconds = min(seconds, BLIND)
        poll = select.poll()
        for descriptor in (self._woken, *self._watched.values()):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)}
        for pid in [pid for pid, descriptor in self._watched.items() if descriptor in ready]:
            os.close(self._watched.pop(pid))  # its number may be given to another process
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)

    def __del__(self) -> None:
        for descriptor in (self._woken, self._waker, *self._watched.values()):
            os.close(descriptor)

    def wake(self) -> None:
        """End a wait, or the next one."""
        with suppress(BlockingIOError):
            os.write(self._waker, b"!")
