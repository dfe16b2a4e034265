"""What each worker process says of itself every two seconds, in a small file of its own: that it lives, and how.

The file is written in place and never grows, so that a full disk stops nobody from saying so. Times are of the
monotonic clock, which all processes of a machine share. Standard library only: probes read it.
"""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

#: Bytes of a file: one page, which is written at once.
SIZE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a process says of itself.

    Attributes:
      pid: Its number.
      group: Its worker group.
      at: When it was written.
      hub_at: When the scheduler of its threads or greenlets last let anybody run.
      threads, alive, busy: Threads or greenlets that run messages: meant, living, running one.
      fetching: Queues whose consumer is open.
      queues: Queues that it is to fetch from.
      overdue: Seconds for which a run has gone on beyond its time limit.
      writable: Whether its journal takes new messages.
      reason: Why not.
      stopping: It was told to stop.
    """

    pid: int
    group: str = "other"
    at: float
    hub_at: float
    threads: int
    alive: int
    busy: int
    fetching: int
    queues: int
    overdue: float
    writable: bool
    reason: str | None = None
    stopping: bool = False


class BeatFile:
    """The file of this process.

    Parameters:
      folder: Of the node.

    Raises:
      OSError: It cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        beats(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = _path(folder, os.getpid())
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._is = _identity(self._descriptor)
        os.pwrite(self._descriptor, b" " * SIZE, 0)

    def write(self, beat: Beat) -> None:
        """Replace what it says.

        Raises:
          OSError: It cannot be written; ``EBADF`` if somebody else in this process has closed it. Its number may be
            another file's by then, such as the journal's, which must not be written over.
        """
        if _identity(self._descriptor) != self._is:
            raise OSError(errno.EBADF, "the file was closed, and its number is another one's")
        text = json.dumps(asdict(beat)).encode()
        if len(text) > SIZE:
            text = json.dumps(asdict(replace(beat, reason=(beat.reason or "")[:100]))).encode()
        os.pwrite(self._descriptor, text.ljust(SIZE), 0)

    def remove(self) -> None:
        """Forget it: the process ends. May be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
            self._path.unlink(missing_ok=True)


def beats(folder: Path) -> Path:
    """Return the folder of a node's files."""
    return folder / "beats"


def read_beat(folder: Path, pid: int) -> Beat | None:
    """Return what a process said last; None where it has said nothing yet."""
    with suppress(OSError, ValueError, TypeError):
        return Beat(**json.loads(_path(folder, pid).read_bytes()))
    return None


def forget_beats(folder: Path, living: set[int]) -> None:
    """Delete the files of processes that do not live any more."""
    with suppress(FileNotFoundError):
        for path in beats(folder).iterdir():
            if path.name.isdecimal() and int(path.name) not in living:
                path.unlink(missing_ok=True)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _path(folder: Path, pid: int) -> Path:
    return beats(folder) / str(pid)
