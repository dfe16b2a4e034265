"""A process's two threads with the journal: one writes, the other reads and need not wait for commits."""

from __future__ import annotations

import os
import time
from pathlib import Path

from growbin_jobs.engine.journal import running_ledger
from growbin_jobs.engine.journal.file.store import JournalStore
from growbin_jobs.engine.journal.tables.changes import advance_numbers
from growbin_jobs.engine.processes import fork_lock
from growbin_jobs.engine.sqlite.committer import Committer
from growbin_jobs.engine.threads import native


class Committers:
    """Opens the file, and opens it anew when that is gone or damaged.

    Parameters:
      path: The file.
      starts_folder: Of the ledgers of starts; those of dead processes are charged before anything is read.
      linger: Seconds that what nobody waits for waits for more to share its commit.
    """

    def __init__(self, path: Path, starts_folder: Path, *, linger: float) -> None:
        self._path = path
        self._starts_folder = starts_folder
        self._linger = linger
        self._store: JournalStore | None = None
        self._read_store: JournalStore | None = None
        self._damaged: os.stat_result | None = None
        self._ended = False
        self._lock = native("_thread", "allocate_lock")()
        self._writer = Committer(self._open, linger=linger)
        self._reader: Committer[JournalStore] | None = None  # made at the first read

    def writing(self) -> Committer[JournalStore]:
        """Return the one that writes."""
        if self._writer.closed and not self._ended:
            with fork_lock, self._lock:
                if self._writer.closed:
                    self._writer = Committer(self._open, linger=self._linger)
        return self._writer

    def reading(self) -> Committer[JournalStore]:
        """Return the one that reads.

        Raises:
          Closed, OSError, apsw.Error: If the file cannot be opened.
        """
        reader = self._reader
        if reader is None or (reader.closed and not self._ended):
            self.writing().read(_nothing)  # it has opened the file, or another one, and charged the dead
            with fork_lock, self._lock:
                reader = self._reader
                if reader is None or reader.closed:
                    reader = self._reader = Committer(self._open_to_read)
        return reader

    def found_damaged(self) -> bool:
        """Put the file aside, soon. Returns False if that was known."""
        if self._store is None or self._store.is_damaged:
            return False
        self._damaged = self._store.file
        for store in (self._store, self._read_store):
            if store is not None:
                store.is_damaged = True
        return True

    def close(self) -> None:
        """Finish what waits and open nothing any more. May be called again."""
        self._ended = True
        for committer in self._both():
            committer.close()

    # --- at a fork, see processes.py

    def pause(self) -> None:
        """Keep the threads from SQLite."""
        for committer in self._both():
            committer.busy.acquire()

    def resume(self) -> None:
        """Let them go on."""
        for committer in self._both():
            committer.busy.release()

    def abandon(self) -> None:
        """In the child: leave the parent's connections as they are."""
        self._ended = True
        for committer in self._both():
            committer.abandon()

    def _both(self) -> list[Committer[JournalStore]]:
        return [self._writer] if self._reader is None else [self._writer, self._reader]

    # --- in the threads

    def _open(self) -> JournalStore:
        store = JournalStore(self._path, damaged=self._damaged)
        try:
            advance_numbers(store.connection)
            self._count_crashes(store)
        except BaseException:
            store.connection.close()
            raise
        self._store, self._damaged = store, None
        return store

    def _count_crashes(self, store: JournalStore) -> None:
        dead = running_ledger.dead_processes(self._starts_folder)
        committed = False
        try:
            if dead:
                store.connection.execute("BEGIN IMMEDIATE")
                running_ledger.count_crashes(store.connection, dead, self._starts_folder, now=time.time())
                store.connection.execute("COMMIT")
                committed = True
        finally:
            running_ledger.remove(dead, self._starts_folder, committed=committed)

    def _open_to_read(self) -> JournalStore:
        self._read_store = JournalStore(self._path, to_read=True)
        return self._read_store


def _nothing(_store: JournalStore) -> None:
    return None
