"""A process's session with the journal, and its thread that writes hints and counts crashes once a second."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.records import Finish, Health, OutboxMessage, Started
from growbin_jobs.engine.journal import running_ledger
from growbin_jobs.engine.journal.file.ballast import Ballast
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.tables import outbox, tasks
from growbin_jobs.engine.journal.tables.storable import as_dead, storable
from growbin_jobs.engine.journal.tables.tasks import finish_many
from growbin_jobs.engine.journal.writer import Writer
from growbin_jobs.engine.native_logging import install_native_logging
from growbin_jobs.engine.processes import is_isolated_process
from growbin_jobs.engine.sqlite.coalescer import Coalescer
from growbin_jobs.engine.sqlite.errors import VALUE_ERRORS, explain
from growbin_jobs.engine.threads import native

#: Called once an end is committed; see :meth:`growbin_jobs.engine.journal.journal.Journal.finish`.
Committed = Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]


class End(NamedTuple):
    """An end that is to be written.

    Attributes:
      then: Called once it is committed.
      rewritten: How often it was changed because SQLite could not hold it.
    """

    record: Finish
    then: Committed
    rewritten: int = 0


class Ends(Coalescer[apsw.Connection, End, tuple[OutboxMessage, ...]]):
    """The ends of one process. Together they cost a few statements and not some for each.

    An end with a value that no column holds (half a surrogate pair, a number beyond 64 bits) is written without it; one
    whose follow-ups cannot be stored is written as dead, with a reason that says so. It blocks nobody.

    Parameters:
      writer: Of this process.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer.submit, _write, self._written)
        self._writer = writer

    @property
    def unwritten(self) -> int:
        """How many ends wait until the journal can be written again; none while it can."""
        return len(self) if self._writer.unwritten else 0

    def _written(self, end: End, error: BaseException | None, outbox: tuple[OutboxMessage, ...] | None) -> None:
        if isinstance(error, VALUE_ERRORS) and end.rewritten < 2:
            record = as_dead(end.record, error) if end.rewritten else storable(end.record)
            logger.error(
                "journal.end_unstorable id=%s error=%s written_as=%s",
                record.task_id, type(error).__name__, record.state,
            )  # fmt: skip
            self.add(End(record, end.then, end.rewritten + 1))
            return
        end.then(error, outbox or ())


def _write(connection: apsw.Connection, ends: Sequence[End]) -> list[tuple[OutboxMessage, ...]]:
    return finish_many(connection, [end.record for end in ends])


#: Seconds between two looks.
INTERVAL = 1.0

#: Looks in a row that fail, of which one is told.
TOLD_EVERY = 60

logger = logging.getLogger(__name__)


class JournalSession:
    """Writes hints, charges the dead, tries again what could not be written, and tells when that changes.

    Parameters:
      path: The journal.
      free_floor: Bytes.
      linger: Seconds; see :class:`growbin_jobs.engine.journal.journal.Journal`.
    """

    def __init__(self, path: Path, *, free_floor: int, linger: float) -> None:
        install_native_logging()  # its threads log
        self._path = path
        self._free_floor = free_floor
        self._ballast = Ballast(path)
        self._folder = path.parent / "starts"
        self._starts: running_ledger.RunningLedger | running_ledger.NoLedger | None = None
        self._starts_lock = threading.Lock()
        self.hints: dict[str, Callable[[], Started]] = {}
        self.callbacks: list[Callable[[Health], None]] = []
        self.writer = Writer(path, self._folder, linger=linger)
        self.ends = Ends(self.writer)
        self.confirmations: Coalescer[apsw.Connection, int, None] = Coalescer(
            self.writer.submit, outbox.delete_confirmed
        )
        self._hints: Coalescer[apsw.Connection, Started, None] = Coalescer(self.writer.attempt, tasks.started)
        self._was_writable = True
        self._quarantined: tuple[str, ...] | None = None
        self._stop = native("_thread", "allocate_lock")()
        self._stop.acquire()
        native("_thread", "start_new_thread")(self._run, ())

    def starts(self) -> running_ledger.RunningLedger | running_ledger.NoLedger:
        """Return this process's ledger of starts."""
        if self._starts is None:
            with self._starts_lock:
                if self._starts is None:
                    isolated = is_isolated_process()
                    self._starts = running_ledger.NoLedger() if isolated else running_ledger.RunningLedger(self._folder)
        return self._starts

    def disarm(self) -> None:
        """Charge no crashes if this process is killed from now on."""
        if self._starts:
            self._starts.disarm()

    def health(self) -> Health:
        """Return how it is now; what was put aside, as of the last second."""
        free = self._free()
        reason = None
        if self.writer.trouble is not None:
            reason = f"The journal {self._path} cannot be written: {explain(self.writer.trouble, self._path)}."
        elif free < self._free_floor:
            reason = (
                f"Only {free:,} bytes are free on the journal's disk ({self._path.parent}), {self._free_floor:,} must "
                "be. Free some space, then it goes on by itself."
            )
        aside = self._quarantined
        if aside is None:
            aside = self._quarantined = quarantined(self._path)
        return Health(reason is None, reason, free, self.ends.unwritten, aside)

    def close(self) -> None:
        """End it. May be called again."""
        self.hints.clear()
        self.writer.close()
        with self._starts_lock:
            if self._starts:
                self._starts.close()
        if self._stop.locked():
            self._stop.release()

    # --- at a fork, see processes.py

    def pause(self) -> None:
        """Reach a state that may be copied."""
        self.writer.pause()

    def resume(self) -> None:
        """Go on."""
        self.writer.resume()

    def abandon(self) -> None:
        """In the child."""
        self.writer.abandon()
        if self._starts:
            self._starts.abandon()
            self._starts = None

    # --- in its thread

    def _run(self) -> None:
        failures = 0
        while not self._stop.acquire(timeout=INTERVAL):
            try:
                self.run_once()
            except Exception:
                if failures % TOLD_EVERY == 0:  # a disk that is ill fails each look of each process
                    logger.exception("journal.look_failed")
                failures += 1
            else:
                failures = 0

    def run_once(self) -> None:
        """Do once what is done every second."""
        self.writer.try_again()
        self._hints.add_all(self._take_hints())
        if dead := running_ledger.dead_processes(self._folder):
            self.writer.attempt(
                lambda connection: running_ledger.count_crashes(connection, dead, self._folder, now=time.time()),
                lambda error, _: running_ledger.remove(dead, self._folder, committed=error is None),
            )
        self._quarantined = None  # look again
        now = self.health()
        self._ballast.load(now.free_bytes, self._free_floor)
        if now.writable != self._was_writable:
            self._was_writable = now.writable
            level = logging.INFO if now.writable else logging.ERROR
            events.JOURNAL_WRITABLE.emit(writable=now.writable, reason=now.reason, level=level)
            for callback in self.callbacks:
                callback(now)

    def _take_hints(self) -> list[Started]:
        taken = []
        while self.hints:
            try:
                taken.append(self.hints.popitem()[1]())
            except KeyError:
                break
        return taken

    def _free(self) -> int:
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:  # the folder is not made yet
            disk = os.statvfs(next(folder for folder in self._path.absolute().parents if folder.is_dir()))
        return disk.f_bavail * disk.f_frsize
