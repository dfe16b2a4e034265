"""Copies a journal's attempts and dead letters to the central database, page by page, as ``sync`` copies its tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw

from growbin_jobs.engine.central.attempts import Attempts
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.delivery.records import DeadLetterRecord
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import attempts, dead_letters
from growbin_jobs.engine.journal.tables.attempts import UnsyncedAttempt

#: Rows of one transaction. A dead letter has its message.
ATTEMPTS, LETTERS = 2000, 200

T = TypeVar("T")


class HistoryCopy:
    """Copies what has changed. A row that the database never takes is told of once, and not copied again.

    Parameters:
      journal: From where.
      database: To where.
      refused: Told of such a row: its task's id and why.
      clock: Seconds since 1970, UTC.
    """

    def __init__(
        self,
        journal: Journal,
        database: Database,
        refused: Callable[[str, Exception], object],
        clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._attempts = Attempts(database)
        self._letters = DeadLetters(database)
        self._refused = refused
        self._clock = clock

    def run(self, end: float) -> bool:
        """Copy until nothing is left; return whether something is left when the time is up.

        Parameters:
          end: On the monotonic clock.

        Raises:
          Deferred: The database or the journal is away; what was copied is marked, or copied once more.
        """
        more = [self._copied(copy, end) for copy in (self._copy_attempts, self._copy_letters)]
        return any(more)

    def waiting(self, *, limit: int) -> int:
        """Return how many rows are to be copied, up to a limit for each kind.

        Raises:
          JournalUnavailable: For now.
        """
        return self._journal.read(lambda connection: _waiting(connection, limit))

    def _copied(self, copy: Callable[[], bool], end: float) -> bool:
        """Copy at least one page; return whether more are left."""
        while copy():
            if time.monotonic() > end:
                return True
        return False

    def _copy_attempts(self) -> bool:
        page = self._journal.read(lambda connection: attempts.unsynced(connection, limit=ATTEMPTS))
        if not page:
            return False
        self._halving(page, lambda rows: self._attempts.absorb(self._journal.node, rows), _task_of_attempt)
        self._journal.write(lambda connection: attempts.mark(connection, page, at=self._clock()))
        return len(page) == ATTEMPTS

    def _copy_letters(self) -> bool:
        page = self._journal.read(lambda connection: dead_letters.unsynced(connection, limit=LETTERS))
        if not page:
            return False
        self._halving(page, lambda rows: self._letters.absorb(self._journal.node, rows), _task_of_letter)
        numbers = [number for number, _ in page]
        self._journal.write(lambda connection: dead_letters.mark(connection, numbers, at=self._clock()))
        return len(page) == LETTERS

    def _halving(self, page: Sequence[T], absorb: Callable[[Sequence[T]], None], task_of: Callable[[T], str]) -> None:
        """Copy a page, half by half where the database refuses it."""
        try:
            absorb(page)
        except (Permanent, ValueError, OverflowError) as error:
            if len(page) == 1:
                self._refused(task_of(page[0]), error)
                return
            middle = len(page) // 2
            self._halving(page[:middle], absorb, task_of)
            self._halving(page[middle:], absorb, task_of)


def history_waits(connection: apsw.Connection) -> bool:
    """Return whether a journal has attempts or dead letters that are to be copied."""
    return _waiting(connection, 1) > 0


def _waiting(connection: apsw.Connection, limit: int) -> int:
    return attempts.count_unsynced(connection, limit=limit) + dead_letters.count_unsynced(connection, limit=limit)


def _task_of_attempt(row: UnsyncedAttempt) -> str:
    return row.attempt.task_id


def _task_of_letter(row: tuple[int, DeadLetterRecord]) -> str:
    return row[1].task_id
