"""One thread that owns a SQLite connection. What all other threads and greenlets want written shares its commits.

A durable commit costs one fsync, however many messages it holds; and nothing of SQLite runs on gevent's hub. The thread
is a native one, so that gevent does not make a greenlet of it, and Dramatiq's time limit, which raises an exception in
the middle of a worker thread, never strikes inside a transaction.
"""

from __future__ import annotations

import ctypes
import logging
import time
from _queue import Empty, SimpleQueue  # gevent replaces queue.SimpleQueue; between native threads only this one works
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast

import apsw

from growbin_jobs.adapters.native import make_signal, native

T = TypeVar("T")

#: Calls that share a commit at most: bounds how long the first of them waits.
BATCH = 512

#: Told the error or None, and the result.
Then = Callable[[BaseException | None, T | None], None]

log = logging.getLogger(__name__)


class Closed(Exception):
    """The committer is closed, or its file is gone. Nothing of the call was done."""


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


class Committer(Generic[S]):
    """Runs calls on a store, those that write in shared transactions.

    Parameters:
      open_store: Makes the store, in the thread. If it fails, every call fails with its error and the committer is
        closed.
      linger: Seconds that submitted calls wait for more to share their commit, while nobody waits for one of them.
    """

    def __init__(self, open_store: Callable[[], S], *, linger: float = 0.0) -> None:
        self._open_store = open_store
        self._linger = linger
        self._calls: SimpleQueue[_Call[S, Any] | None] = SimpleQueue()
        self._refusal: BaseException | None = None
        self._store: S | None = None
        self._durable: bool | None = None
        #: Held while SQLite is at work. A fork must wait for it: a mutex of SQLite's that is held at the fork stays
        #: locked in the child for ever.
        self.busy = native("_thread", "allocate_lock")()
        native("_thread", "start_new_thread")(self._run, ())

    @property
    def closed(self) -> bool:
        """True when calls are refused."""
        return self._refusal is not None

    def read(self, call: Callable[[S], T]) -> T:
        """Run a call outside of transactions and return its result.

        Raises:
          Closed: If the committer is closed.
        """
        return self._submit(_Call(call, writes=False, durable=False))

    def write(self, call: Callable[[S], T], *, durable: bool = False) -> T:
        """Run a call in a transaction and return its result once that is committed.

        Parameters:
          call: If it raises, what it wrote is undone and the others of its transaction go on. Those are undone too
            and run again: a call does nothing that may not happen twice but in the database.
          durable: Wait until the commit has reached the disk. Otherwise a power cut may undo it (a killed process
            never does); the file stays consistent either way.

        Raises:
          Closed: If the committer is closed.
          apsw.Error: If the transaction failed: the disk is full, or another process held the lock too long.
        """
        return self._submit(_Call(call, writes=True, durable=durable))

    def submit(self, call: Callable[[S], T], then: Then[T], *, durable: bool = False) -> None:
        """Run a call in a transaction and tell once that is committed; nobody waits.

        Parameters:
          call, durable: As for :meth:`write`.
          then: Told what :meth:`write` would raise or return, in the committer's thread; in the caller's if the
            committer is closed. It must not block, and must know by itself how to reach a greenlet.
        """
        self._calls.put(_Call(call, writes=True, durable=durable, then=then))
        self._refuse_if_closed()

    def close(self) -> None:
        """Finish the calls that wait, close the store and refuse all others. May be called again."""
        if not self.closed:
            finished: _Call[S, None] = _Call(lambda _: None, writes=False, durable=False)
            self._calls.put(None)
            self._calls.put(finished)
            self._refuse_if_closed()
            finished.join()

    def abandon(self) -> None:
        """In a forked child, where the thread does not exist: refuse all calls and leave the store as it is."""
        self._refusal = Closed("it was opened before a fork")
        # Never freed: that would close the connection, and SQLite would tidy up files which the parent uses.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    def _submit(self, call: _Call[S, T]) -> T:
        self._calls.put(call)
        self._refuse_if_closed()
        return call.wait()

    def _refuse_if_closed(self) -> None:
        # The thread may have ended between a caller's look and its put. It refuses what it finds after it has set the
        # refusal, a caller what it put after that: nobody waits for ever.
        if self._refusal is not None:
            self._refuse_waiting(self._refusal)

    def _refuse_waiting(self, error: BaseException) -> None:
        while True:
            try:
                call = self._calls.get_nowait()
            except Empty:
                return
            if call:
                call.fail(error)
                call.finish()

    # --- in the thread

    def _run(self) -> None:
        refusal: BaseException = Closed("closed")
        store: S | None = None
        try:
            with self.busy:
                store = self._store = self._open_store()
            more = True
            while more:
                batch, more = self._next_batch()
                with self.busy:
                    self._run_batch(store, batch)
        except BaseException as error:
            refusal = error
        finally:
            if store is not None:
                with self.busy:
                    store.connection.close()
            self._refusal = refusal
            self._refuse_waiting(refusal)

    def _next_batch(self) -> tuple[list[_Call[S, Any]], bool]:
        """Wait for a call; return it with all that wait behind it, and whether more may come."""
        batch: list[_Call[S, Any]] = []
        call = self._calls.get()
        end = time.monotonic() + self._linger
        while call is not None:
            batch.append(call)
            if call.awaited:
                end = 0.0
            if len(batch) == BATCH:
                return batch, True
            try:
                call = self._next_call(end)
            except Empty:
                return batch, True
        return batch, False

    def _next_call(self, end: float) -> _Call[S, Any] | None:
        try:
            return self._calls.get_nowait()
        except Empty:
            left = end - time.monotonic() if end else 0.0
            if left <= 0.0:
                raise
            return self._calls.get(timeout=left)

    def _run_batch(self, store: S, batch: list[_Call[S, Any]]) -> None:
        try:
            store.check()
            for call in batch:
                if not call.writes:
                    call.run(store)
            self._commit(store, [call for call in batch if call.writes])
        except BaseException:  # not of a call, nor of its transaction: this is the end
            for call in batch:
                self._calls.put(call)  # told when everybody can see that it is closed
            raise
        for call in batch:
            call.finish()

    def _commit(self, store: S, calls: list[_Call[S, Any]]) -> None:
        if not calls:
            return
        connection = store.connection
        try:
            self._wait_for_the_disk(connection, any(call.durable for call in calls))
            connection.execute("BEGIN IMMEDIATE")
            for call in calls:
                call.run(store)
                if call.error:
                    self._run_apart(store, calls)
                    break
            connection.execute("COMMIT")
        except BaseException as error:
            for call in calls:
                call.fail(error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        else:
            store.committed()

    def _wait_for_the_disk(self, connection: apsw.Connection, durable: bool) -> None:
        if durable is not self._durable:
            connection.pragma("synchronous", "FULL" if durable else "NORMAL")
            self._durable = durable

    def _run_apart(self, store: S, calls: list[_Call[S, Any]]) -> None:
        """Begin anew, so that a call that fails is undone alone. Rare enough not to pay for it each time."""
        connection = store.connection
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        for call in calls:
            connection.execute("SAVEPOINT one_call")
            call.run(store)
            # Where SQLite gave the whole transaction up, as it may when the disk is full, both of these fail.
            if call.error:
                connection.execute("ROLLBACK TO one_call")
            connection.execute("RELEASE one_call")


class _Call(Generic[S, T]):
    def __init__(self, call: Callable[[S], T], *, writes: bool, durable: bool, then: Then[T] | None = None) -> None:
        self._call = call
        self._then = then
        self.writes = writes
        self.durable = durable
        self._signal = None if then else make_signal()
        self.error: BaseException | None = None
        self._result: T | None = None

    def run(self, store: S) -> None:
        self.error = None
        try:
            self._result = self._call(store)
        except BaseException as error:
            self.error = error

    def fail(self, error: BaseException) -> None:
        self.error = self.error or error

    @property
    def awaited(self) -> bool:
        """Does somebody wait for it?"""
        return self._signal is not None

    def finish(self) -> None:
        if self._signal:
            self._signal.set()
        elif self._then:
            try:
                self._then(self.error, self._result)
            except Exception:
                log.exception("committer.then_failed")

    def join(self) -> None:
        if self._signal:
            self._signal.wait()

    def wait(self) -> T:
        self.join()
        if self.error:
            raise self.error
        return cast(T, self._result)
