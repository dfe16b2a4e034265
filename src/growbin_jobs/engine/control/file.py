"""The file of a node that holds what its workers are to obey. The keeper writes it, each worker process reads it.

Each process waits at a FIFO of its own, in the folder ``wakeups`` beside the file, which the keeper's write rings.
"""

from __future__ import annotations

import os
from pathlib import Path

from growbin_jobs.engine.control.instructions import Instructions, from_json, to_json
from growbin_jobs.engine.node.wakeups import WakeupFifo, wake_all

#: Its name in the node's folder; it never changes.
NAME = "control.json"


class ControlFile:
    """The file, and the last state of it that was read here.

    Parameters:
      folder: Of the node.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._wakeups = folder / "wakeups"
        self._seen: tuple[int, int, int] | None = None

    def write(self, instructions: Instructions) -> None:
        """Put instructions in the place of what was there, and wake those who wait: they read the old or the new ones.

        Raises:
          OSError: If it cannot be written, for instance on a full disk; the old ones stay.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.path.with_name(f"{NAME}.{os.getpid()}.new")
        try:
            with beside.open("w", encoding="utf-8", errors="replace") as file:
                file.write(to_json(instructions))
                file.flush()
                os.fsync(file.fileno())  # after a power cut there must be one of the two, and not an empty file
            beside.replace(self.path)
        finally:
            beside.unlink(missing_ok=True)
        wake_all(self._wakeups, [NAME])

    def open_wakeup(self) -> WakeupFifo:
        """Return what a write rings, in any process.

        Raises:
          OSError: If it cannot be made.
        """
        return WakeupFifo(self._wakeups, NAME)

    def read(self) -> Instructions | None:
        """Return what is to be obeyed; None where nobody has ever written it.

        Raises:
          OSError, ValueError: If it cannot be read.
        """
        try:
            return from_json(self.path.read_bytes())
        except FileNotFoundError:
            return None

    def changed(self) -> bool:
        """Return whether it is another file than at the last call; one ``stat``."""
        try:
            found = self.path.stat()
        except OSError:
            return False  # not there so far, or its folder is away: what is known stays
        now = (found.st_mtime_ns, found.st_ino, found.st_size)
        if now == self._seen:
            return False
        self._seen = now
        return True
