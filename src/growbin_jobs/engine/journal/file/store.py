"""The journal's open file, for the one thread that uses it."""

from __future__ import annotations

import os
from pathlib import Path

from growbin_jobs.engine.journal.file.opening import open_journal_file, reopen
from growbin_jobs.engine.sqlite.committer import Closed
from growbin_jobs.engine.sqlite.opening import expect_random_ids

#: Bytes that the write-ahead log may keep once it has been copied into the database.
LOG_LIMIT = 64_000_000


class JournalStore:
    """An open file; see :class:`growbin_jobs.engine.sqlite.transactions.Store`.

    Parameters:
      path: The file.
      damaged: One that was found to be damaged while it was in use.
      to_read: The file has just been opened by somebody else, and checked.

    Raises:
      ConfigurationError, OSError, apsw.Error: As :func:`growbin_jobs.engine.journal.file.opening.open_journal_file`.
    """

    def __init__(self, path: Path, *, damaged: os.stat_result | None = None, to_read: bool = False) -> None:
        self._path = path
        self.connection = reopen(path) if to_read else open_journal_file(path, damaged=damaged)
        try:
            self.connection.pragma("fullfsync", True)  # macOS: only this reaches the disk
            self.connection.pragma("journal_size_limit", LOG_LIMIT)
            expect_random_ids(self.connection)
            #: Which file it is, whatever it is called later.
            self.file = path.stat()
        except BaseException:
            self.connection.close()
            raise
        self.is_damaged = False

    def check(self) -> None:
        """Refuse to go on with a file that is damaged, or that other processes can no longer see.

        Raises:
          Closed: If it is.
        """
        if self.is_damaged:
            raise Closed("its file is damaged")
        try:
            if os.path.samestat(self.file, self._path.stat()):
                return
        except FileNotFoundError:
            pass
        raise Closed("its file was moved or removed")

    def committed(self) -> None:
        """Nobody waits for news of a commit but its callers."""
