"""Refuses a data folder whose file system lacks what databases stand on, locks and shared memory; and odd paths."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from growbin_jobs.engine.errors import ConfigurationError

#: Bytes of the longest path, links resolved: SQLite's MAX_PATHNAME without what it appends for other files.
LONGEST_PATH = 504

#: What tells nothing of the file system: something is short for now.
_PASSING = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR, errno.EIO, errno.ENOSPC, errno.EDQUOT}
)


def name_for_sqlite(path: Path) -> str:
    """Return the name by which SQLite opens a file: its bytes as UTF-8, whatever the locale's encoding is.

    Under ``LC_ALL=C`` with ``PYTHONUTF8=0``, or ``ko_KR.EUC-KR``, Python's text for a Korean name means other bytes.

    Raises:
      ConfigurationError: Its bytes are no UTF-8.
    """
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path} is a path in another encoding than UTF-8 ({sys.getfilesystemencoding()}), where SQLite opens no "
            "file. Choose a folder whose path has Latin letters and digits only, or use a locale of UTF-8."
        ) from None


def check_path(path: Path) -> None:
    """Refuse a path that SQLite cannot open, and of which it says no more than that.

    Raises:
      ConfigurationError: With how long it is, or that it is no UTF-8.
    """
    name_for_sqlite(path)
    resolved = os.path.realpath(path)  # as SQLite does
    length = len(os.fsencode(resolved))
    if length > LONGEST_PATH:
        raise ConfigurationError(
            f"{resolved} is a path of {length} bytes, and SQLite takes {LONGEST_PATH} at most. Choose a folder with a "
            "shorter path."
        )


def require_locks_and_maps(folder: Path, variable: str | None = None) -> None:
    """See that files in a folder can be locked and mapped into memory, as network file systems often refuse.

    Parameters:
      folder: That this user may write in. Where it has no room for an empty file, nothing is said.
      variable: Name of the setting that says where it is, if that is known.

    Raises:
      ConfigurationError: If not; it says what is refused.
    """
    with suppress(OSError), _file_in(folder) as descriptor:
        os.truncate(descriptor, mmap.PAGESIZE)
        with _needed("locks on files", folder, variable):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _needed("memory that processes share", folder, variable):
            mmap.mmap(descriptor, mmap.PAGESIZE).close()


@contextmanager
def _file_in(folder: Path) -> Iterator[int]:
    # Not by ``tempfile``, whose lock gevent replaces: native threads call this.
    path = folder / f".locks-{os.getpid()}-{os.urandom(4).hex()}"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        path.unlink()
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _needed(what: str, folder: Path, variable: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _PASSING:
            raise
        remedy = "Keep it in" if variable is None else f"Set {variable} to"
        raise ConfigurationError(
            f"The file system of {folder} does not support {what} ({os.strerror(error.errno or 0)}). "
            f"{remedy} a folder on a local disk."
        ) from None
