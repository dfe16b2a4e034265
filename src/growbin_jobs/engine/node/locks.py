"""Locks on files that the kernel holds (flock) until they are closed or their process dies.

No lease that a slow process could miss, and no process number that another one may get. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path


def lock(descriptor: int) -> None:
    """Lock an open file, waiting in the kernel for whoever holds it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file unless somebody holds it; return whether that is so.

    Parameters:
      shared: Others may have such a lock too. For those who only ask whether it is held.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Return True while an open file is still the one of that name: a lock on a removed one locks nobody out."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def write_pid(descriptor: int) -> None:
    """Replace a file's content by this process's number. For people only: on a full disk it stays empty."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
