"""Elects the one keeper of a node: whoever holds the lock on a file. The kernel drops it when its holder dies.

Standard library only: a keeper that stands by has loaded nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from growbin_jobs.engine.node.locks import is_at, lock, try_lock, write_pid


def lock_file(folder: Path) -> Path:
    """Return the file of a node's folder whose lock makes its holder the keeper."""
    return folder / "keeper.lock"


class Election:
    """A candidate for the one keeper of a node.

    Parameters:
      folder: The node's folder; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = lock_file(folder)
        self._descriptor: int | None = None

    def win_now(self) -> bool:
        """Become the keeper unless there is one; return whether that is so."""
        return self._take(try_lock)

    def win(self) -> None:
        """Stand by until this process is the keeper; blocks in the kernel, for days if need be."""
        while not self._take(_lock):
            pass

    def step_down(self) -> None:
        """Let another process become the keeper. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _take(self, take: Callable[[int], bool]) -> bool:
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        if not (take(descriptor) and is_at(descriptor, self._path)):  # or somebody has removed it meanwhile
            os.close(descriptor)
            return False
        write_pid(descriptor)
        self._descriptor = descriptor
        return True


def has_keeper(folder: Path) -> bool:
    """Return True while some process is the keeper of a node's folder."""
    try:
        descriptor = os.open(lock_file(folder), os.O_RDONLY)
    except FileNotFoundError:
        return False
    # Shared, so that two who ask at once do not take each other for the keeper.
    free = try_lock(descriptor, shared=True)
    os.close(descriptor)
    return not free


def keeper_pid(folder: Path) -> int | None:
    """Return the number of the keeper's process, for people; None where there is no keeper."""
    if not has_keeper(folder):
        return None
    text = lock_file(folder).read_text().strip()
    return int(text) if text.isdecimal() else None


def _lock(descriptor: int) -> bool:
    lock(descriptor)
    return True
