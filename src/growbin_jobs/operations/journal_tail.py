"""Follows the tasks of one node: the latest, and then each that changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import apsw

from growbin_jobs.engine.delivery.records import JournalTask
from growbin_jobs.engine.journal.tables import changes, reader, sync_log
from growbin_jobs.operations.journal_files import reading

#: Seconds between two looks for changes.
LOOK = 0.25

#: Changes that one look takes in at most.
MOST = 10_000


def tail(file: Path, lines: int, *, follow: bool) -> Iterator[JournalTask]:
    """Yield the latest tasks, oldest first, and then each as it changes.

    Parameters:
      lines: Begin with so many.
      follow: False: end after those.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`growbin_jobs.operations.journal_files.check_readable`.
    """
    with reading(file) as connection:
        seen = changes.last_number(connection)
        logged = sync_log.last_id(connection)
        yield from reversed(reader.latest(connection, limit=lines) if lines else [])
        while follow:
            time.sleep(LOOK)
            logged, changed = _changed(connection, seen, logged)
            yield from changed
            seen = max((task.seq for task in changed), default=seen)


def _changed(connection: apsw.Connection, seen: int, logged: int) -> tuple[int, list[JournalTask]]:
    """Return what has changed: it waits to be copied, or else the sync log has it by now. Both have an index."""
    synced = sync_log.after(connection, logged)
    found = {task.seq: task for task in changes.unsynced(connection, after=seen, limit=MOST)}
    for _, task_id in synced:
        task = reader.task(connection, task_id)
        if task is not None and task.seq > seen:
            found[task.seq] = task
    return (synced[-1][0] if synced else logged), [found[seq] for seq in sorted(found)]
