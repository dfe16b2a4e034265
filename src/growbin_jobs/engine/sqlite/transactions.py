"""Transactions that many requests share; one that fails is undone alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import apsw

from growbin_jobs.engine.sqlite.requests import Request


class Store(Protocol):
    """What requests work on; made, used and closed by the committer's thread alone."""

    @property
    def connection(self) -> apsw.Connection:
        """The connection that transactions are run on."""

    def check(self) -> None:
        """Before each batch: raise :class:`Closed` where going on makes no sense. Any error ends the committer."""

    def committed(self) -> None:
        """After each commit, before the callers hear of it."""


S = TypeVar("S", bound=Store)


class Transactions(Generic[S]):
    """The transactions of one store; of one thread.

    Parameters:
      store: What the requests work on.
    """

    def __init__(self, store: S) -> None:
        self._store = store
        self._connection = store.connection
        self._durable: bool | None = None

    def run(self, requests: Sequence[Request[S, Any]]) -> None:
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

    def _run_together(self, requests: Sequence[Request[S, Any]]) -> bool:
        for request in requests:
            request.run(self._store)
            if request.error:
                return False
        return True

    def _run_apart(self, requests: Sequence[Request[S, Any]]) -> None:
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
