"""Tells living processes from dead ones: each holds a lock on its own file, which the kernel drops at its death."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

from growbin_jobs.engine.node.locks import is_at, try_lock, write_pid


class ProcessLock:
    """A lock that this process holds until it dies or leaves, and that others test.

    Parameters:
      folder: Where the processes that share a queue keep their files; made, with its parent, where it is missing.

    Attributes:
      name: Unique, never used twice.

    Raises:
      OSError: If the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        for each in (folder.parent, folder):  # parents=True would give the parent another mode
            each.mkdir(mode=0o700, exist_ok=True)
        while True:
            self.name = uuid.uuid4().hex
            self._path = folder / self.name
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            # Between these two lines another process may take it for a dead one's and remove it.
            if try_lock(self._descriptor) and is_at(self._descriptor, self._path):
                break
            os.close(self._descriptor)
        write_pid(self._descriptor)

    def leave(self) -> None:
        """Remove the file and let go; only after everything that this process had claimed is released."""
        self._path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Stop holding the lock.

        In a forked child this must be called, or the child keeps a dead parent alive: both hold the same lock, until
        the last of them lets go. (It closes; unlocking would take the lock from the parent too.) In the process
        itself it makes it a dead one for the others.
        """
        os.close(self._descriptor)


class DeadProcess:
    """A process that died without leaving. Who finds it holds its lock until it is removed or released."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.name = path.name
        self._path = path
        self._descriptor = descriptor

    def remove(self) -> None:
        """Remove its file; everything that it had claimed is released by now."""
        self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let go of its lock, so that it is found again."""
        os.close(self._descriptor)


def find_dead(folder: Path) -> list[DeadProcess]:
    """Return the processes that died without leaving."""
    return [dead for path in _files(folder) if (dead := _if_dead(path))]


def known(folder: Path) -> set[str]:
    """Return the names of all processes that have a file, living and dead."""
    return {path.name for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries]
    return []


def _if_dead(path: Path) -> DeadProcess | None:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    if try_lock(descriptor) and is_at(descriptor, path):
        return DeadProcess(path, descriptor)
    os.close(descriptor)
    return None
