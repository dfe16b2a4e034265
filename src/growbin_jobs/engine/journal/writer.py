"""Writes into the journal whatever happens to its file: what cannot be written is kept and tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.journal.committers import Committers
from growbin_jobs.engine.journal.file.ballast import Ballast
from growbin_jobs.engine.journal.file.quarantine import DAMAGED
from growbin_jobs.engine.journal.tables.changes import take_numbers
from growbin_jobs.engine.sqlite.calls import Then
from growbin_jobs.engine.sqlite.committer import Closed
from growbin_jobs.engine.sqlite.opening import explain
from growbin_jobs.engine.threads import native

T = TypeVar("T")
Call = Callable[[apsw.Connection], T]

#: What is wrong with the file or its disk, and not with what is written.
PASSING = (
    OSError, apsw.FullError, apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.CantOpenError, apsw.ReadOnlyError,
    apsw.PermissionsError, apsw.NoMemError, apsw.ProtocolError, apsw.InterruptError, *DAMAGED,
)  # fmt: skip


class JournalUnavailable(Deferred):
    """The journal cannot be used for now; its message says why and what to do."""


class Writer:
    """What a process writes into the journal, and reads from it.

    Parameters:
      path, starts_folder, linger: See :class:`growbin_jobs.engine.journal.committers.Committers`.
    """

    def __init__(self, path: Path, starts_folder: Path, *, linger: float) -> None:
        self._path = path
        self._ballast = Ballast(path)
        #: The threads that do it.
        self.committers = Committers(path, starts_folder, linger=linger)
        self._ended = False
        self._held: deque[tuple[Call[Any], Then[Any]]] = deque()
        #: How many calls wait until the journal can be written again.
        self.unwritten = 0
        #: The last failure, while nothing could be written since.
        self.trouble: Exception | None = None
        self._lock = native("_thread", "allocate_lock")()

    def read(self, call: Call[T]) -> T:
        """Return the result of a call that only reads.

        Raises:
          JournalUnavailable: For now.
        """
        return self._now(lambda: self.committers.reading().read(lambda store: call(store.connection)))

    def write(self, call: Call[T], *, durable: bool = False) -> T:
        """Return the result of a call once what it wrote is committed; with ``durable``, once it is on the disk.

        Raises:
          JournalUnavailable: For now; nothing was written.
        """
        result = self._now(
            lambda: self.committers.writing().write(lambda store: call(store.connection), durable=durable)
        )
        self.trouble = None
        return result

    def submit(self, call: Call[T], then: Then[T]) -> None:
        """Write a call, tell once it is committed, and keep trying until it is.

        Parameters:
          then: Told an error only if the call itself cannot be done, or the journal was closed.
        """
        self._submit(call, then, held=False)

    def attempt(self, call: Call[T], then: Then[T]) -> None:
        """Write a call if that is possible now, and tell."""
        self.committers.writing().submit(lambda store: call(store.connection), then)

    def try_again(self) -> None:
        """See whether what could not be written can be written now."""
        if self.trouble is not None or self._held:
            self.attempt(_probe, self._probed)

    def close(self) -> None:
        """Finish what can be written now; what cannot is told so. May be called again."""
        self._ended = True
        while self._held:
            call, then = self._held.popleft()
            self._submit(call, then, held=True)
        self.committers.close()

    def abandon(self) -> None:
        """In a forked child: leave the parent's connections as they are."""
        self._ended = True
        self.committers.abandon()

    # --- failures

    def _submit(self, call: Call[T], then: Then[T], *, held: bool) -> None:
        self.committers.writing().submit(
            lambda store: call(store.connection), partial(self._submitted, call, then, held)
        )

    def _submitted(
        self, call: Call[T], then: Then[T], held: bool, error: BaseException | None, result: T | None
    ) -> None:
        if error is not None and not self._ended and isinstance(error, (Closed, *PASSING)):
            if self._may_help_now(error):
                self._submit(call, then, held=held)
                return
            self._held.append((call, then))
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
            call, then = self._held.popleft()
            self._submit(call, then, held=True)

    def _now(self, attempt: Callable[[], T]) -> T:
        for _ in range(5):  # damage ends the reader, then the writer, then another file is opened
            try:
                return attempt()
            except (Closed, *PASSING) as error:
                failure = error
                if self._ended or not self._may_help_now(error):
                    break
        raise JournalUnavailable(f"The journal {self._path} cannot be used: {explain(failure)}.", wait=5.0) from failure

    def _may_help_now(self, error: BaseException) -> bool:
        """Deal with a failure. Returns True if the same call may succeed at once."""
        if isinstance(error, Closed):
            return True
        if isinstance(error, DAMAGED) and self.committers.found_damaged():
            return True
        if isinstance(error, apsw.FullError) and self._ballast.drop():
            return True
        if isinstance(error, Exception):
            self.trouble = error
        return False


def _probe(connection: apsw.Connection) -> None:
    take_numbers(connection)
