"""A file that keeps room on the journal's disk, to be deleted when the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: Bytes that are given up on a full disk, so that deleting works: SQLite writes in order to delete.
BALLAST = 4_000_000


class Ballast:
    """A file beside the journal that is deleted when the disk is full.

    Parameters:
      path: The journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".ballast")

    def load(self, free: int, floor: int) -> None:
        """Make it while there is room for it above the floor."""
        if free <= floor + BALLAST or self._path.exists():
            return
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                os.write(descriptor, bytes(BALLAST))
            finally:
                os.close(descriptor)

    def drop(self) -> bool:
        """Give its room up; True if there was any."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
