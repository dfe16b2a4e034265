"""The status of one node's journal: its tasks, its backlogs, its files, and the processes that use it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.tables import changes, dead_letters, outbox, reader
from growbin_jobs.engine.node.election import keeper_pid
from growbin_jobs.engine.node.presence import present
from growbin_jobs.operations.journal_files import reading


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStatus:
    """How a journal is.

    Attributes:
      tasks: How many are in each state.
      unsynced: Rows that the central database has not got.
      lag: Seconds since the oldest of them changed.
      owed: Messages that the broker has not confirmed.
      dead_letters: Messages that were given up and nobody has retried or discarded.
      bytes: Of the ``database`` and of its write-ahead log, ``wal``.
      free_bytes: On its disk.
      quarantined: Names of damaged files that were put aside.
      keeper: Number of the keeper's process; None where there is none.
      workers: Numbers of the worker processes.
    """

    path: Path
    node: str
    tasks: dict[TaskState, int]
    unsynced: int
    lag: float
    owed: int
    dead_letters: int
    bytes: dict[str, int]
    free_bytes: int
    quarantined: list[str]
    keeper: int | None
    workers: list[int]


def status(file: Path) -> JournalStatus:
    """Return how a journal is. Takes the same time however large it is.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`growbin_jobs.operations.journal_files.check_readable`.
    """
    folder = file.parent
    disk = os.statvfs(folder)
    with reading(file) as connection:
        oldest = changes.oldest_unsynced(connection)
        return JournalStatus(
            path=file,
            node=file.absolute().parent.name,
            tasks=reader.counts(connection),
            unsynced=changes.count_unsynced(connection),
            lag=max(0.0, time.time() - changes.moment(oldest)) if oldest else 0.0,
            owed=outbox.count(connection),
            dead_letters=dead_letters.count_open(connection),
            bytes=reader.sizes(file),
            free_bytes=disk.f_bavail * disk.f_frsize,
            quarantined=list(quarantined(file)),
            keeper=keeper_pid(folder),
            workers=sorted(process.pid for process in present(folder).values() if process),
        )
