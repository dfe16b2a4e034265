"""Opens the journal's files, one process at a time; checks and checkpoints them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.journal.file.quarantine import ENDINGS, put_aside, salvage
from growbin_jobs.engine.journal.file.schema import migrate
from growbin_jobs.engine.node.locks import try_lock
from growbin_jobs.engine.sqlite.errors import DAMAGED
from growbin_jobs.engine.sqlite.lock_holder import flock_holder_of
from growbin_jobs.engine.sqlite.opening import BUSY_TIMEOUT, open_sqlite
from growbin_jobs.engine.sqlite.patience import Patience

#: A file of up to this many bytes is checked from end to end when it is opened (about 0.1 s); the edges of larger ones.
CHECK_WHOLE = 32_000_000

#: Seconds.
TRUNCATE_WAIT = 0.05


def open_journal_file(path: Path, *, damaged: os.stat_result | None = None) -> apsw.Connection:
    """Open the journal, making it where it is missing and putting it aside where it is damaged.

    Parameters:
      damaged: A file that was found to be damaged while it was in use; put aside unless another process did so before.

    Raises:
      ConfigurationError: If SQLite is too old, or the file was written by a newer version.
      OSError, apsw.Error: If it cannot be opened or made for now.
    """
    with opening(path.parent):
        if damaged and is_at(damaged, path):
            aside = put_aside(path, apsw.CorruptError("found while it was in use"))
        else:
            try:
                return _open_checked(path)
            except DAMAGED as error:
                aside = put_aside(path, error)
        connection = _open_checked(path)
        salvage(aside, connection)
        return connection


def reopen(path: Path) -> apsw.Connection:
    """Open the journal beside a connection of this process that has just checked it; make it anew if it has gone since.

    Raises:
      ConfigurationError, OSError, apsw.Error: As :func:`open_journal_file`.
    """
    with opening(path.parent):
        return open_unchecked(path)


def is_at(file: os.stat_result, path: Path) -> bool:
    """Is this still the file of that name?"""
    try:
        return os.path.samestat(file, path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Let one process at a time make, or put aside, the files of a folder; it is made where it is missing.

    Raises:
      TimeoutError: If another one takes longer than :data:`growbin_jobs.engine.sqlite.opening.BUSY_TIMEOUT`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        patience = Patience(BUSY_TIMEOUT)
        for waits in count():
            if try_lock(descriptor):
                break
            if not patience.wait(waits):
                holder = flock_holder_of(folder) or "another process"
                raise TimeoutError(f"the lock for opening files in {folder} has been held for too long by {holder}")
        yield
    finally:
        os.close(descriptor)


def verify(connection: apsw.Connection, *, indexes: bool = True) -> list[str]:
    """Read everything and return what is wrong.

    Parameters:
      indexes: Also compare them with their tables; this takes several times as long.
    """
    found = [row[0] for row in connection.execute(f"PRAGMA {'integrity' if indexes else 'quick'}_check")]
    return [] if found == ["ok"] else found


def checkpoint(path: Path, *, truncate: bool = False) -> tuple[int, int]:
    """Copy the write-ahead log into the database, on a connection of its own.

    Parameters:
      truncate: Also empty the log; only while nobody works. It keeps all writers out while it waits for a reader, so it
        waits for :data:`TRUNCATE_WAIT` at most. Where that is not enough, and by default, only what can be copied
        without waiting is copied.

    Returns:
      Pages in the log, and how many of them are copied.

    Raises:
      ConfigurationError, OSError, apsw.Error: As :func:`growbin_jobs.engine.sqlite.opening.open_sqlite`.
    """
    with closing(open_sqlite(path, busy_timeout=TRUNCATE_WAIT)) as connection:
        pages, copied = _checkpoint(connection, truncate=truncate)
    if pages:
        events.CHECKPOINTED.emit(file=str(path), pages=pages, copied=copied)
    return pages, copied


def _checkpoint(connection: apsw.Connection, *, truncate: bool) -> tuple[int, int]:
    if truncate:
        with suppress(apsw.BusyError):
            return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _remove_strays(path: Path) -> None:
    # Left by a database file that somebody deleted alone. A new one beside them would share a log, or its index, with
    # processes that still use the old one.
    if not path.exists():
        for ending in ENDINGS[1:]:
            path.with_name(path.name + ending).unlink(missing_ok=True)


def open_unchecked(path: Path) -> apsw.Connection:
    """Open the journal, making it where it is missing. The caller holds :func:`opening`.

    Raises:
      ConfigurationError, OSError, apsw.Error: As :func:`open_journal_file`, and if it is visibly damaged.
    """
    _remove_strays(path)
    connection = open_sqlite(path, incremental_vacuum=True)
    try:
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_checked(path: Path) -> apsw.Connection:
    connection = open_unchecked(path)
    try:
        check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def check(connection: apsw.Connection) -> None:
    """Look for damage in bounded time.

    Raises:
      apsw.CorruptError: If there is any.
    """
    if connection.pragma("page_count") * connection.pragma("page_size") <= CHECK_WHOLE:
        found = verify(connection, indexes=False)
        if found:
            raise apsw.CorruptError("; ".join(found[:3]))
        return
    for table, key in connection.execute(
        "SELECT name, iif(sql LIKE '%WITHOUT ROWID', NULL, 'rowid') FROM sqlite_schema WHERE type = 'table'"
    ).fetchall():
        for order in ("ASC", "DESC") if key else ("",):
            by = f"ORDER BY {key} {order}" if key else ""
            connection.execute(f'SELECT * FROM "{table}" {by} LIMIT 1').fetchall()  # noqa: S608 names of our own schema
