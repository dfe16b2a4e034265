"""Opens every SQLite file of the project, with the same settings."""

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

import apsw

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.file_system import check_path, name_for_sqlite, require_locks_and_maps
from growbin_jobs.engine.sqlite.patience import Patience

#: Older ones can corrupt a database with several writers when a checkpoint restarts the WAL (https://sqlite.org/wal.html,
#: "The WAL-Reset Bug"); Debian 12 has 3.40.1. apsw brings its own, current one.
OLDEST_SQLITE = (3, 51, 3)

#: Seconds that a statement waits for another process's write.
BUSY_TIMEOUT = 30.0


#: Pages that SQLite keeps in memory, as negative KiB: the upper levels of the indexes of some million rows.
CACHE_SIZE = -8_000

#: Pages in the write-ahead log before they are copied into the database. An index of random ids has few rows of a
#: transaction on a page, so that what is copied seldom saves a sixth of all the time that ends take.
LOG_PAGES = 8_000


def check_sqlite() -> None:
    """Refuse an SQLite that may corrupt a database with several writers.

    Raises:
      ConfigurationError: With the version found and the remedy.
    """
    found = apsw.sqlite_lib_version()
    if tuple(int(part) for part in found.split(".")) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(
            f"SQLite {found} may corrupt a database that several processes write. Install SQLite {oldest} or newer: "
            "pip install --upgrade apsw (its wheels from PyPI contain one)."
        )


def open_sqlite(path: Path, *, busy_timeout: float = BUSY_TIMEOUT, incremental_vacuum: bool = False) -> apsw.Connection:
    """Open a SQLite file that several processes write: WAL, ``synchronous=NORMAL``, readable by its owner only.

    Open it after the fork (``once_a_process``), never before. The caller serialises its use.

    Parameters:
      path: The file; it and its folder are made where they are missing.
      busy_timeout: Seconds that a statement waits for another process's write.
      incremental_vacuum: Whether free pages of a new file can be given back in steps (SQLite's ``auto_vacuum``).

    Raises:
      ConfigurationError: If SQLite itself is too old, the path too long for it, or the folder's file system without
        locks.
      OSError, apsw.Error: If the file cannot be made or is not a database.
    """
    check_sqlite()
    check_path(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_locks_and_maps(path.parent)  # SQLite would wait for a lock that nobody holds, and blame another process
    # SQLite gives its -wal and -shm the mode of the file; made by SQLite itself, that would be the umask's. A file that
    # exists is not opened: closing it would drop the locks of this process's other connections to it
    # (https://sqlite.org/howtocorrupt.html, 2.2).
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    # With names of databases that are attached as URIs, which can say that one is only read.
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(name_for_sqlite(path.absolute()), flags)
    try:
        connection.set_busy_handler(Patience(busy_timeout).wait)
        # To be said before the first page is written. Later the statement writes, even where nothing changes: who only
        # reads waited for whoever writes, and could not open the file on a full disk.
        if incremental_vacuum and not connection.pragma("page_count"):
            connection.pragma("auto_vacuum", "INCREMENTAL")
        _use_wal(connection, Patience(busy_timeout))
        connection.pragma("synchronous", "NORMAL")
        connection.pragma("wal_autocheckpoint", 1000)
    except BaseException:
        connection.close()
        raise
    return connection


def expect_random_ids(connection: apsw.Connection) -> None:
    """Prepare a connection for many rows with random ids: each touches a page of its own in every index of ids."""
    connection.pragma("cache_size", CACHE_SIZE)
    connection.pragma("wal_autocheckpoint", LOG_PAGES)
    # What undoes a statement or a savepoint went to a file in /var/tmp: half of all that was written.
    connection.pragma("temp_store", "MEMORY")


def _use_wal(connection: apsw.Connection, patience: Patience) -> None:
    # Where several processes open a new file at once, changing the mode fails without waiting for the busy handler.
    patience.begin()
    for tries in count(1):
        try:
            connection.pragma("journal_mode", "WAL")
        except apsw.BusyError:
            if not patience.wait(tries):
                raise
        else:
            return
