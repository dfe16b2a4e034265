"""Where a caller waits in place for its turn: in its worker's waiting room, or where no worker runs it."""

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from growbin_jobs.limits.lines import Wakeup


class Room(Protocol):
    """Where a caller waits in place; :class:`growbin_jobs.engine.middleware.waiting_room.WaitingRoom` of a worker."""

    def waiting(self, share: float = 0.5) -> AbstractContextManager[Wakeup]:
        """Let the caller wait inside, at what is yielded.

        Parameters:
          share: Part of the worker's threads that may wait for the messages of one queue.
        """
        ...

    def no_wait(self) -> None:
        """Note that the caller had its turn at once."""
        ...


class OutsideWorker:
    """Where a caller waits that no worker runs: a command, a test."""

    def waiting(self, share: float = 0.5) -> AbstractContextManager[Wakeup]:  # noqa: ARG002
        return nullcontext(_Wakeup())

    def no_wait(self) -> None:
        """Do nothing."""


class _Wakeup:
    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> None:
        self._event.set()

    def wait(self, seconds: float | None = None) -> bool:
        woken = self._event.wait(seconds)
        self._event.clear()
        return woken
