"""What is done with a damaged journal: it is kept under another name, and what nobody else has is copied out of it."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import apsw

from growbin_jobs.engine.journal.tables import dead_letters, outbox

#: SQLite's own files: the database, its write-ahead log and the log's index.
ENDINGS = ("", "-wal", "-shm")

DAMAGED = (apsw.CorruptError, apsw.NotADBError)

#: Accepted from producers, and nobody else has them; given up, and only the broker has the body.
_SALVAGED = {
    "outbox": (outbox.COLUMNS + ", created_at", "parent_id IS NULL"),
    "dead_letter": (dead_letters.COLUMNS, dead_letters.OPEN),
}

log = logging.getLogger(__name__)


def put_aside(path: Path, error: Exception) -> Path:
    """Rename the three files, and say so. The caller holds :func:`growbin_jobs.engine.journal.file.opening.opening`.

    Processes that still have them open notice it at their next transaction.

    Returns:
      The new path of the database file.
    """
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for ending in ENDINGS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
    log.error("journal.quarantined file=%s now=%s error=%s", path, aside.name, error)
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
    for table, (columns, which) in _SALVAGED.items():
        try:
            damaged = apsw.Connection(str(aside), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                for row in damaged.execute(f"SELECT {columns} FROM {table} WHERE {which}"):  # noqa: S608 constants only
                    values = ", ".join("?" * len(row))
                    connection.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({values})", row)  # noqa: S608
                    rows += 1
            finally:
                damaged.close()
        except apsw.Error as error:
            log.warning("journal.salvage_incomplete file=%s table=%s error=%s", aside, table, error)
    if rows:
        log.warning("journal.salvaged file=%s rows=%d", aside, rows)
    return rows
