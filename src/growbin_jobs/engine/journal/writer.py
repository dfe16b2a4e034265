"""Reads and writes the journal whatever happens to its file: reopens it, keeps and retries what cannot be written."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.journal import running_ledger
from growbin_jobs.engine.journal.file.ballast import Ballast
from growbin_jobs.engine.journal.file.store import JournalStore
from growbin_jobs.engine.journal.tables.changes import advance_numbers
from growbin_jobs.engine.journal.tables.outbox import take_numbers
from growbin_jobs.engine.processes import fork_lock
from growbin_jobs.engine.sqlite.committer import Closed, Committer
from growbin_jobs.engine.sqlite.errors import DAMAGED, FILE_ERRORS, explain
from growbin_jobs.engine.sqlite.transactions import Callback
from growbin_jobs.engine.threads import native

T = TypeVar("T")

#: What runs on the connection.
Query = Callable[[apsw.Connection], T]


class JournalUnavailable(Deferred):
    """The journal cannot be used for now; its message says why and what to do."""


class Writer:
    """A process's two threads with the journal: one writes, the other reads and need not wait for commits.

    Parameters:
      path: The file.
      ledgers: Folder of the ledgers of running tasks; crashes in those of dead processes are counted before anything
        is read.
      linger: Seconds that what nobody waits for waits for more to share its commit.

    Attributes:
      unwritten: How many requests wait until the journal can be written again.
      trouble: The last failure, while nothing could be written since.
    """

    def __init__(self, path: Path, ledgers: Path, *, linger: float) -> None:
        self._path = path
        self._ledgers = ledgers
        self._linger = linger
        self._ballast = Ballast(path)
        self._stores: list[JournalStore] = []
        self._damaged: os.stat_result | None = None
        self._ended = False
        self._held: deque[tuple[Query[Any], Callback[Any]]] = deque()
        self.unwritten = 0
        self.trouble: Exception | None = None
        self._lock = native("_thread", "allocate_lock")()
        self._writing = Committer(self._open, linger=linger)
        self._reading: Committer[JournalStore] | None = None  # made at the first read

    def read(self, query: Query[T]) -> T:
        """Return the result of a query that only reads.

        Raises:
          JournalUnavailable: For now.
        """
        return self._now(lambda: self._reader().read(lambda store: query(store.connection)))

    def write(self, query: Query[T], *, durable: bool = False) -> T:
        """Return the result of a query once what it wrote is committed; with ``durable``, once it is on the disk.

        Raises:
          JournalUnavailable: For now; nothing was written.
        """
        result = self._now(lambda: self._writer().write(lambda store: query(store.connection), durable=durable))
        self.trouble = None
        return result

    def submit(self, query: Query[T], then: Callback[T]) -> None:
        """Run a query in a transaction, call back once it is committed, and keep trying until it is.

        Parameters:
          then: Gets an error only if the query itself cannot be done, or the journal was closed.
        """
        self._submit(query, then, held=False)

    def attempt(self, query: Query[T], then: Callback[T]) -> None:
        """Run a query in a transaction if that is possible now, and call back."""
        self._writer().submit(lambda store: query(store.connection), then)

    def try_again(self) -> None:
        """See whether what could not be written can be written now."""
        if self.trouble is not None or self._held:
            self.attempt(_probe, self._probed)

    def close(self) -> None:
        """Finish what can be written now, and fail the rest. May be called again."""
        self._ended = True
        while self._held:
            query, then = self._held.popleft()
            self._submit(query, then, held=True)
        for committer in self._committers():
            committer.close()

    # --- at a fork, see processes.py

    def pause(self) -> None:
        """Keep the threads from SQLite."""
        for committer in self._committers():
            committer.busy.acquire()

    def resume(self) -> None:
        """Let them go on."""
        for committer in self._committers():
            committer.busy.release()

    def abandon(self) -> None:
        """In the child: leave the parent's connections as they are."""
        self._ended = True
        for committer in self._committers():
            committer.abandon()

    # --- the threads, opened anew when the file is gone or damaged

    def _writer(self) -> Committer[JournalStore]:
        if self._writing.closed and not self._ended:
            with fork_lock, self._lock:
                if self._writing.closed:
                    self._writing = Committer(self._open, linger=self._linger)
        return self._writing

    def _reader(self) -> Committer[JournalStore]:
        reader = self._reading
        if reader is None or (reader.closed and not self._ended):
            self._writer().read(_nothing)  # it has opened the file, or another one, and counted crashes
            with fork_lock, self._lock:
                reader = self._reading
                if reader is None or reader.closed:
                    reader = self._reading = Committer(self._open_to_read)
        return reader

    def _committers(self) -> list[Committer[JournalStore]]:
        return [self._writing] if self._reading is None else [self._writing, self._reading]

    def _open(self) -> JournalStore:
        store = JournalStore(self._path, damaged=self._damaged)
        try:
            advance_numbers(store.connection)
            running_ledger.count_all_crashes(store.connection, self._ledgers, now=time.time())
        except BaseException:
            store.connection.close()
            raise
        self._stores, self._damaged = [store], None
        return store

    def _open_to_read(self) -> JournalStore:
        store = JournalStore(self._path, to_read=True)
        self._stores.append(store)
        return store

    def _found_damaged(self) -> bool:
        """Put the file aside at the next transaction. Returns False if that was known."""
        stores = self._stores
        if not stores or stores[0].is_damaged:
            return False
        self._damaged = stores[0].file
        for store in stores:
            store.is_damaged = True
        return True

    # --- failures

    def _submit(self, query: Query[T], then: Callback[T], *, held: bool) -> None:
        def submitted(error: BaseException | None, result: T | None) -> None:
            if error is not None or held:
                self._submitted(query, then, held, error, result)
                return
            self.trouble = None
            then(None, result)

        self._writer().submit(lambda store: query(store.connection), submitted)

    def _submitted(
        self, query: Query[T], then: Callback[T], held: bool, error: BaseException | None, result: T | None
    ) -> None:
        if error is not None and not self._ended and isinstance(error, (Closed, *FILE_ERRORS)):
            if self._may_help_now(error):
                self._submit(query, then, held=held)
                return
            self._held.append((query, then))
            if not held:
                self._count(1)
            return
        if held:
            self._count(-1)
        if error is None:
            self.trouble = None
        then(error, result if error is None else None)

    def _count(self, change: int) -> None:
        with self._lock:
            self.unwritten += change

    def _probed(self, error: BaseException | None, _result: None) -> None:
        if error is not None:
            self._may_help_now(error)
        elif not self._held:
            self.trouble = None
        for _ in range(len(self._held) if error is None else 0):
            query, then = self._held.popleft()
            self._submit(query, then, held=True)

    def _now(self, attempt: Callable[[], T]) -> T:
        for _ in range(5):  # damage ends the reader, then the writer, then another file is opened
            try:
                return attempt()
            except (Closed, *FILE_ERRORS) as error:
                failure = error
                if self._ended or not self._may_help_now(error):
                    break
        raise JournalUnavailable(
            f"The journal {self._path} cannot be used: {explain(failure, self._path)}.", wait=5.0
        ) from failure

    def _may_help_now(self, error: BaseException) -> bool:
        """Deal with a failure. Returns True if the same request may succeed at once."""
        if isinstance(error, Closed):
            return True
        if isinstance(error, DAMAGED) and self._found_damaged():
            return True
        if isinstance(error, apsw.FullError) and self._ballast.drop():
            return True
        if isinstance(error, Exception):
            self.trouble = error
        return False


def _probe(connection: apsw.Connection) -> None:
    take_numbers(connection)


def _nothing(_store: JournalStore) -> None:
    return None
