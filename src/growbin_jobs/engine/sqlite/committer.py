"""A thread that owns a SQLite connection and runs the requests of all others; what they write shares commits.

A durable commit costs one fsync, however many messages it holds; and nothing of SQLite runs on gevent's hub. The thread
is a native one, so that gevent does not make a greenlet of it, and Dramatiq's time limit, which raises an exception in
the middle of a worker thread, never strikes inside a transaction.
"""

from __future__ import annotations

import ctypes
import time
from _queue import Empty, SimpleQueue  # gevent replaces queue.SimpleQueue; between native threads only this one works
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from growbin_jobs.engine.sqlite.transactions import Callback, Request, Store, Transactions
from growbin_jobs.engine.threads import native

T = TypeVar("T")

#: Calls that share a commit at most: bounds how long the first of them waits.
BATCH = 512


class Closed(Exception):
    """The committer is closed, or its file is gone. Nothing of the call was done."""


S = TypeVar("S", bound=Store)


class Committer(Generic[S]):
    """Runs calls on a store, those that write in shared transactions.

    Parameters:
      open_store: Makes the store, in the thread. If it fails, every call fails with its error and the committer is
        closed.
      linger: Seconds that submitted calls wait for more to share their commit, while nobody waits for one of them.
      ended: Called in the thread once calls are refused, for whatever reason.
    """

    def __init__(
        self, open_store: Callable[[], S], *, linger: float = 0.0, ended: Callable[[], object] = lambda: None
    ) -> None:
        self._open_store = open_store
        self._linger = linger
        self._ended = ended
        self._requests: SimpleQueue[Request[S, Any] | None] = SimpleQueue()
        self._refusal: BaseException | None = None
        self._store: S | None = None
        self._look: Callable[[S], object] | None = None
        self._look_every = self._look_at = 0.0
        #: Held while SQLite is at work. A fork must wait for it: a mutex of SQLite's that is held at the fork stays
        #: locked in the child for ever.
        self.busy = native("_thread", "allocate_lock")()
        native("_thread", "start_new_thread")(self._run, ())

    @property
    def closed(self) -> bool:
        """True when calls are refused."""
        return self._refusal is not None

    def look_every(self, seconds: float, look: Callable[[S], object]) -> None:
        """Run a call in the thread now and then, outside of transactions, whether there are requests or not.

        Parameters:
          look: Nobody hears of its result. What it raises closes the committer.
        """
        self._look_every, self._look = seconds, look
        self._requests.put(Request(lambda _: None, writes=False, durable=False))  # the thread may wait for ever so far

    def read(self, call: Callable[[S], T]) -> T:
        """Run a call outside of transactions and return its result.

        Raises:
          Closed: If the committer is closed.
        """
        return self._submit(Request(call, writes=False, durable=False))

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
        return self._submit(Request(call, writes=True, durable=durable))

    def submit(self, call: Callable[[S], T], then: Callback[T], *, durable: bool = False) -> None:
        """Run a call in a transaction and tell once that is committed; nobody waits.

        Parameters:
          call, durable: As for :meth:`write`.
          then: Told what :meth:`write` would raise or return, in the committer's thread; in the caller's if the
            committer is closed. It must not block, and must know by itself how to reach a greenlet.
        """
        self._requests.put(Request(call, writes=True, durable=durable, then=then))
        self._refuse_if_closed()

    def close(self) -> None:
        """Finish the calls that wait, close the store and refuse all others. May be called again."""
        if not self.closed:
            finished: Request[S, None] = Request(lambda _: None, writes=False, durable=False)
            self._requests.put(None)
            self._requests.put(finished)
            self._refuse_if_closed()
            finished.join()

    def abandon(self) -> None:
        """In a forked child, where the thread does not exist: refuse all calls and leave the store as it is."""
        self._refusal = Closed("it was opened before a fork")
        # Never freed: that would close the connection, and SQLite would tidy up files which the parent uses.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    def _submit(self, call: Request[S, T]) -> T:
        self._requests.put(call)
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
                call = self._requests.get_nowait()
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
            transactions, more = Transactions(store), True
            while more:
                batch, more = self._next_batch()
                with self.busy:
                    if batch:
                        self._run_batch(store, transactions, batch)
                    self._look_if_due(store)
        except BaseException as error:
            refusal = error
        finally:
            if store is not None:
                with self.busy:
                    store.connection.close()
            self._refusal = refusal
            self._refuse_waiting(refusal)
            self._ended()

    def _next_batch(self) -> tuple[list[Request[S, Any]], bool]:
        """Wait for a call; return it with all that wait behind it, and whether more may come.

        None of them where it is time to look before one comes.
        """
        batch: list[Request[S, Any]] = []
        try:
            left = None if self._look is None else max(0.0, self._look_at - time.monotonic())
            call = self._requests.get(timeout=left)
        except Empty:
            return batch, True
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

    def _next_call(self, end: float) -> Request[S, Any] | None:
        try:
            return self._requests.get_nowait()
        except Empty:
            left = end - time.monotonic() if end else 0.0
            if left <= 0.0:
                raise
            return self._requests.get(timeout=left)

    def _look_if_due(self, store: S) -> None:
        if self._look is not None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self._look_every
            self._look(store)

    def _run_batch(self, store: S, transactions: Transactions[S], batch: list[Request[S, Any]]) -> None:
        try:
            store.check()
            for call in batch:
                if not call.writes:
                    call.run(store)
            if writing := [call for call in batch if call.writes]:
                transactions.run(writing)
        except BaseException:  # not of a call, nor of its transaction: this is the end
            for call in batch:
                self._requests.put(call)  # told when everybody can see that it is closed
            raise
        for call in batch:
            call.finish()
