"""What threads and greenlets want done by the thread that owns a SQLite connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from growbin_jobs.engine.threads import make_signal

S = TypeVar("S")
T = TypeVar("T")

#: Told the error or None, and the result.
Then = Callable[[BaseException | None, T | None], None]

log = logging.getLogger(__name__)


class Call(Generic[S, T]):
    """A call that waits for the thread, and how its caller learns what became of it.

    Parameters:
      call: Is given the store.
      writes: It needs a transaction.
      durable: Its transaction must have reached the disk before the caller is told.
      then: Told what became of it, in the thread; None: somebody waits for it.

    Attributes:
      error: What it has raised, or why it was not run.
    """

    def __init__(self, call: Callable[[S], T], *, writes: bool, durable: bool, then: Then[T] | None = None) -> None:
        self._call = call
        self._then = then
        self.writes = writes
        self.durable = durable
        self._signal = None if then else make_signal()
        self.error: BaseException | None = None
        self._result: T | None = None

    def run(self, store: S) -> None:
        """Run it and keep its result; it may be run again."""
        self.error = None
        try:
            self._result = self._call(store)
        except BaseException as error:
            self.error = error

    def fail(self, error: BaseException) -> None:
        """Let it have failed, unless it has already."""
        self.error = self.error or error

    @property
    def awaited(self) -> bool:
        """Does somebody wait for it?"""
        return self._signal is not None

    def finish(self) -> None:
        """Tell the caller. In the thread."""
        if self._signal:
            self._signal.set()
        elif self._then:
            try:
                self._then(self.error, self._result)
            except Exception:
                log.exception("committer.then_failed")

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
