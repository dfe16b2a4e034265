"""Refuses a data folder whose file system lacks what databases and the journal stand on: locks and shared memory."""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from growbin_jobs.engine.errors import ConfigurationError


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
