"""Refuses a data folder whose file system lacks what databases stand on, locks and shared memory; and long paths."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from growbin_jobs.engine.errors import ConfigurationError

#: Bytes of the longest path, links resolved: SQLite's MAX_PATHNAME without what it appends for other files.
LONGEST_PATH = 504


def check_path(path: Path) -> None:
    """Refuse a path that is too long for SQLite, which says of it only that the file cannot be opened.

    Raises:
      ConfigurationError: With how long it is.
    """
    resolved = os.path.realpath(path)  # as SQLite does
    length = len(os.fsencode(resolved))
    if length > LONGEST_PATH:
        raise ConfigurationError(
            f"{resolved} is a path of {length} bytes, and SQLite takes {LONGEST_PATH} at most. Choose a folder with a "
            "shorter path."
        )


def require_locks_and_maps(folder: Path, variable: str) -> None:
    """See that files in a folder can be locked and mapped into memory, as network file systems often refuse.

    Parameters:
      folder: That this user may write in. Where it has no room for an empty file, nothing is said.
      variable: Name of the setting that says where it is.

    Raises:
      ConfigurationError: If not; it says what is refused.
    """
    with suppress(OSError), TemporaryFile(dir=folder, buffering=0) as file:
        descriptor = file.fileno()
        os.truncate(descriptor, mmap.PAGESIZE)
        with _needed("locks on files", folder, variable):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _needed("memory that processes share", folder, variable):
            mmap.mmap(descriptor, mmap.PAGESIZE).close()


@contextmanager
def _needed(what: str, folder: Path, variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"The file system of {folder} does not support {what} ({os.strerror(error.errno or 0)}). "
            f"Set {variable} to a folder on a local disk."
        ) from None
