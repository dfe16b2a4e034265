"""Transactions that many calls share, in which one that fails takes no other with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import apsw

from growbin_jobs.engine.sqlite.calls import Call


class Store(Protocol):
    """What the calls work on; made, used and closed by the committer's thread alone."""

    @property
    def connection(self) -> apsw.Connection:
        """The connection that transactions are run on."""

    def check(self) -> None:
        """Before each batch: raise :class:`Closed` where going on makes no sense. Any error ends the committer."""

    def committed(self) -> None:
        """After each commit, before the callers are told."""


S = TypeVar("S", bound=Store)


class Transactions(Generic[S]):
    """The transactions of one store; of one thread.

    Parameters:
      store: What the calls work on.
    """

    def __init__(self, store: S) -> None:
        self._store = store
        self._connection = store.connection
        self._durable: bool | None = None

    def run(self, calls: Sequence[Call[S, Any]]) -> None:
        """Run calls and commit. Each call's own error is in it after that; all have one if the transaction failed."""
        try:
            self._wait_for_the_disk(any(call.durable for call in calls))
            self._connection.execute("BEGIN IMMEDIATE")
            if not self._run_together(calls):
                self._undo()
                if len(calls) == 1:
                    return
                self._run_apart(calls)
            self._connection.execute("COMMIT")
        except BaseException as error:
            for call in calls:
                call.fail(error)
            self._undo()
        else:
            self._store.committed()

    def _run_together(self, calls: Sequence[Call[S, Any]]) -> bool:
        for call in calls:
            call.run(self._store)
            if call.error:
                return False
        return True

    def _run_apart(self, calls: Sequence[Call[S, Any]]) -> None:
        """Begin anew, so that a call that fails is undone alone. Too rare for savepoints around every call."""
        self._connection.execute("BEGIN IMMEDIATE")
        for call in calls:
            self._connection.execute("SAVEPOINT one_call")
            call.run(self._store)
            # Where SQLite gave the whole transaction up, as it may when the disk is full, both of these fail.
            if call.error:
                self._connection.execute("ROLLBACK TO one_call")
            self._connection.execute("RELEASE one_call")

    def _wait_for_the_disk(self, durable: bool) -> None:
        if durable is not self._durable:
            self._connection.pragma("synchronous", "FULL" if durable else "NORMAL")
            self._durable = durable

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
