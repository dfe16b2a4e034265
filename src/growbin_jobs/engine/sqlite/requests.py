"""Requests to the thread that owns a SQLite connection: what to run, and how the caller learns the outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from growbin_jobs.engine.threads import make_signal

S = TypeVar("S")
T = TypeVar("T")

#: Called with the error or None, and the result.
Callback = Callable[[BaseException | None, T | None], None]

logger = logging.getLogger(__name__)


class Request(Generic[S, T]):
    """A function that waits for the thread to run it.

    Parameters:
      call: Gets the store.
      writes: It needs a transaction.
      durable: Its transaction must have reached the disk before the caller hears of it.
      then: Called with the outcome, in the thread; None: somebody waits for it.

    Attributes:
      error: What it has raised, or why it was not run.
    """

    def __init__(self, call: Callable[[S], T], *, writes: bool, durable: bool, then: Callback[T] | None = None) -> None:
        self._call = call
        self._then = then
        self.writes = writes
        self.durable = durable
        self._signal = None if then else make_signal()
        self.error: BaseException | None = None
        self._result: T | None = None

    def run(self, store: S) -> None:
        """Run it and keep its result; it may be run again after a rollback."""
        self.error = None
        try:
            self._result = self._call(store)
        except BaseException as error:
            self.error = error

    def fail(self, error: BaseException) -> None:
        """Set the error, unless it has one already."""
        self.error = self.error or error

    @property
    def awaited(self) -> bool:
        """True when somebody waits for it."""
        return self._signal is not None

    def finish(self) -> None:
        """Hand the outcome to the caller. In the thread."""
        if self._signal:
            self._signal.set()
        elif self._then:
            try:
                self._then(self.error, self._result)
            except Exception:
                logger.exception("committer.callback_failed")

    def join(self) -> None:
        """Wait until it is finished."""
        if self._signal:
            self._signal.wait()

    def wait(self) -> T:
        """Wait until it is finished; return its result or raise its error."""
        self.join()
        if self.error:
            raise self.error
        return cast(T, self._result)
