"""Copies the changes of a node's journal into the central database, page by page.

Nothing is lost when the database is away, or when this is killed: a row counts as copied only after the database has
committed it, and a row that is copied twice is the same row.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.central.driver import TooSlow
from growbin_jobs.engine.central.history_copy import HistoryCopy, history_waits
from growbin_jobs.engine.central.senders import PAGE as SENT
from growbin_jobs.engine.central.senders import Senders
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import changes, sent, sync_log
from growbin_jobs.engine.journal.tables.sent import SentMessage

logger = logging.getLogger(__name__)

#: Refused rows that are remembered: those beyond count as not copied yet.
REMEMBERED = 100_000

#: Pages that are on their way to the database together.
IN_FLIGHT = 2


@dataclass(frozen=True, slots=True)
class Copied:
    """What one run did.

    Attributes:
      rows: Brought to the database.
      refused: Left behind because the database takes none like them; ``sync_log`` says which.
      fresh: Messages that were sent a moment ago: the next run has them, or their tasks.
      behind: True when it ended before it had caught up.
    """

    rows: int = 0
    refused: int = 0
    fresh: int = 0
    behind: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.refused or self.fresh or self.behind)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What the database has not got.

    Attributes:
      rows: How many, up to :data:`growbin_jobs.engine.journal.tables.changes.COUNT_LIMIT`.
      refused: Those of them that the database can never take; the log of the sync has each.
      lag: Seconds since the oldest of them started or ended, as far as its row says.
    """

    rows: int
    lag: float
    refused: int = 0

    @property
    def copyable(self) -> int:
        """How many can still be copied."""
        return max(0, self.rows - self.refused)


class Sync:
    """Copies one journal to the table ``tasks`` and those beside it. One run at a time; a second caller waits.

    While pages are on their way to the database, each on a connection of its own, the next one is read and the one
    before is marked. Which of them arrives first makes no difference: the database goes by the numbers of changes.

    Parameters:
      journal: From where.
      tasks: To where.
      batch: Rows of one transaction, at most; fewer while the database cannot manage so many within its timeout.
      seconds: A run ends after so many, to be continued by the next.
      patience: Seconds for which a sent message waits for its own task to be copied before it becomes a pending row.
      clock: Seconds since 1970, UTC.
    """

    def __init__(
        self,
        journal: Journal,
        tasks: Tasks,
        *,
        batch: int = 5000,
        seconds: float = 60.0,
        patience: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._tasks = tasks
        self._batch = batch
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._marking = ThreadPoolExecutor(1, "sync-mark")
        self._copying = ThreadPoolExecutor(IN_FLIGHT, "sync-copy")
        self._after = 0
        self._page_rows = batch  # as many as the database manages within its timeout
        self._refused: dict[str, int] = {}  # id and change number
        self._senders = Senders(journal, tasks.database, self._note_refused, clock, patience)
        self._history = HistoryCopy(journal, tasks.database, self._note_refused, clock)

    def run_once(self, *, everything: bool = False) -> Copied:
        """Copy what has changed since the last run.

        Parameters:
          everything: Also what was sent a moment ago.

        Raises:
          Deferred: The database or the journal is away; the next run copies what this one did not.
        """
        with self._lock:
            try:
                return self._run(time.monotonic() + self._seconds, everything)
            except TooSlow as error:
                self._after = 0
                self._page_rows = max(1, self._page_rows // 2)
                logger.warning("sync.page_shrunk rows=%d error=%s", self._page_rows, error)
                raise
            except BaseException:
                self._after = 0  # what was copied is marked, or copied once more
                raise

    def sweep(self) -> Copied:
        """Copy everything that the database lacks, also what it refused before.

        Raises:
          Deferred: As :meth:`run_once`.
        """
        with self._lock:
            self._after = 0
        return self.run_once(everything=True)

    def backlog(self) -> Backlog:
        """Return what is still to be copied.

        Raises:
          JournalUnavailable: For now.
        """
        refused = dict(self._refused)
        rows, oldest, still_refused = self._journal.read(
            lambda connection: (
                changes.count_unsynced(connection), changes.oldest_unsynced(connection),
                changes.count_unchanged(connection, refused),
            )
        )  # fmt: skip
        rows += self._history.waiting(limit=changes.COUNT_LIMIT)
        if oldest is None:
            return Backlog(rows, 0.0)
        return Backlog(rows, max(0.0, self._clock() - changes.moment(oldest)), still_refused)

    def _run(self, end: float, everything: bool) -> Copied:
        rows = refused = 0
        on_the_way: deque[tuple[changes.Page, Future[list[str]]]] = deque()
        marking: Future[int] | None = None
        messages, has_history, page = self._begin()
        more_senders = self._senders.begin(messages)
        more = bool(page.rows)
        try:
            while on_the_way or more:
                if more and len(on_the_way) < IN_FLIGHT:
                    on_the_way.append((page, self._copying.submit(self._copy, page)))
                    # What has come since a page that was not full waits for the next run: under load there is always
                    # something, and a transaction for each few rows costs more than the rows.
                    page = self._read(page.last) if page.full else replace(page, rows=())
                    more = bool(page.rows) and time.monotonic() <= end
                    continue
                copied, copying = on_the_way[0]
                failed = copying.result()
                on_the_way.popleft()
                if marking:
                    marking.result()
                marking = self._marking.submit(self._mark, self._after, copied.last, failed)
                self._after = copied.last
                self._page_rows = min(self._batch, 2 * self._page_rows)
                rows, refused = rows + len(copied.rows) - len(failed), refused + len(failed)
        finally:
            wait([copying for _, copying in on_the_way])  # the next run must not meet them
        if marking:
            marking.result()
        fresh = self._senders.write(everything=everything)
        more_history = has_history and self._history.run(end)
        behind = bool(page.rows) or more_senders or more_history
        if rows or refused:
            events.SYNCED.emit(rows=rows, refused=refused, behind=behind)
        return Copied(rows, refused, fresh, behind)

    def _begin(self) -> tuple[list[SentMessage], bool, changes.Page]:
        """Return, in one read, who sent what, whether there is anything beside tasks, and the first page of those."""
        return self._journal.read(
            lambda connection: (
                sent.page(connection, limit=SENT), history_waits(connection), self._page(connection, self._after)
            )
        )  # fmt: skip

    def _read(self, after: int) -> changes.Page:
        """Return the next rows in the order of their changes."""
        return self._journal.read(lambda connection: self._page(connection, after))

    def _page(self, connection: apsw.Connection, after: int) -> changes.Page:
        return changes.page(
            connection, self._tasks.rendering, after=after, limit=self._page_rows, journal=self._journal.path,
            node=self._journal.node, at=self._clock(),
        )  # fmt: skip

    def _copy(self, page: changes.Page) -> list[str]:
        """Copy a page, half by half where the database refuses it; return the ids of what it refuses."""
        families = self._senders.families(row[1] for row in page.rows)
        try:
            taken = self._tasks.absorb(page, families)
        except (Permanent, ValueError, OverflowError) as error:  # it, or its driver, can never take a value
            if len(page.rows) > 1:
                return [task_id for half in page.halves() for task_id in self._copy(half)]
            return [self._refuse(page.rows[0], error)]
        if taken == len(page.rows):
            self._senders.attached(families)
        for row in page.rows if self._refused else ():
            self._refused.pop(row[1], None)
        return []

    def _refuse(self, row: changes.Row, error: Exception) -> str:
        number, task_id = row[:2]
        self._note_refused(task_id, error)
        if len(self._refused) < REMEMBERED:
            self._refused[task_id] = number
        return str(task_id)

    def _note_refused(self, task_id: str, error: Exception) -> None:
        words = str(error) if isinstance(error, Permanent) else type(error).__name__
        events.ROW_REFUSED.emit(id=task_id, error=words)
        self._journal.write(lambda connection: sync_log.refused(connection, task_id, words, at=self._clock()))

    def _mark(self, after: int, last: int, failed: list[str]) -> int:
        now = self._clock()
        return self._journal.write(lambda connection: changes.mark(connection, after, last, failed, at=now))
