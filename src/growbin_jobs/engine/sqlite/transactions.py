"""Transactions that many requests share; one that fails is undone alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

import apsw

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


class Store(Protocol):
    """What requests work on; made, used and closed by the committer's thread alone."""

    @property
    def connection(self) -> apsw.Connection:
        """The connection that transactions are run on."""

    def check(self) -> None:
        """Before each batch: raise :class:`Closed` where going on makes no sense. Any error ends the committer."""

    def committed(self) -> None:
        """After each commit, before the callers hear of it."""


St = TypeVar("St", bound=Store)


class Transactions(Generic[St]):
    """The transactions of one store; of one thread.

    Parameters:
      store: What the requests work on.
    """

    def __init__(self, store: St) -> None:
        self._store = store
        self._connection = store.connection
        self._durable: bool | None = None

    def run(self, requests: Sequence[Request[St, Any]]) -> None:
        """Run requests and commit. Each one's own error is in it after that; all have one if the transaction failed."""
        try:
            self._wait_for_the_disk(any(request.durable for request in requests))
            self._connection.execute("BEGIN IMMEDIATE")
            if not self._run_together(requests):
                self._undo()
                if len(requests) == 1:
                    return
                self._run_apart(requests)
            self._connection.execute("COMMIT")
        except BaseException as error:
            for request in requests:
                request.fail(error)
            self._undo()
        else:
            self._store.committed()

    def _run_together(self, requests: Sequence[Request[St, Any]]) -> bool:
        for request in requests:
            request.run(self._store)
            if request.error:
                return False
        return True

    def _run_apart(self, requests: Sequence[Request[St, Any]]) -> None:
        """Begin anew, so that one that fails is undone alone. Too rare for savepoints around every request."""
        self._connection.execute("BEGIN IMMEDIATE")
        for request in requests:
            self._connection.execute("SAVEPOINT one_request")
            request.run(self._store)
            # Where SQLite gave the whole transaction up, as it may when the disk is full, both of these fail.
            if request.error:
                self._connection.execute("ROLLBACK TO one_request")
            self._connection.execute("RELEASE one_request")

    def _wait_for_the_disk(self, durable: bool) -> None:
        if durable is not self._durable:
            self._connection.pragma("synchronous", "FULL" if durable else "NORMAL")
            self._durable = durable

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
