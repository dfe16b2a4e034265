"""Quarantine of a damaged journal: the file is renamed, and what exists nowhere else is copied into the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.file_system import name_for_sqlite
from growbin_jobs.engine.journal.tables import salvage as salvage_tables

#: SQLite's own files: the database, its write-ahead log and the log's index.
ENDINGS = ("", "-wal", "-shm")


def put_aside(path: Path, error: Exception) -> Path:
    """Rename the three files and tell of it. The caller holds :func:`growbin_jobs.engine.journal.file.opening.opening`.

    Processes that still have them open notice it at their next transaction.

    Returns:
      The new path of the database file.
    """
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for ending in ENDINGS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    events.QUARANTINED.emit(file=str(path), now=aside.name, error=str(error))
    return aside


def quarantined(path: Path) -> tuple[str, ...]:
    """Return the names of the files that were put aside, oldest first."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(f"{path.name}.corrupt-")]
        return tuple(sorted(name for name in names if not name.endswith(ENDINGS[1:])))
    return ()


def salvage(aside: Path, connection: apsw.Connection) -> int:
    """Copy what can be read and exists nowhere else from a damaged file into the new one.

    All else comes back from the broker, which has every message that was not finished.

    Returns:
      How many rows.
    """
    rows = 0
    for table, copied, trouble in salvage_tables.salvage(
        lambda: apsw.Connection(name_for_sqlite(aside), flags=apsw.SQLITE_OPEN_READONLY), connection
    ):
        rows += copied
        if trouble:
            events.SALVAGE_INCOMPLETE.emit(file=str(aside), table=table, error=str(trouble))
    if rows:
        events.SALVAGED.emit(file=str(aside), rows=rows)
    return rows
