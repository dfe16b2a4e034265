"""Names the process that holds a lock of a SQLite file which others wait for, or of a folder.

Such locks have no end: a process that is stopped (SIGSTOP) in the middle of a write holds everybody up until it
goes on or dies. The kernel tells who it is (Linux, and only where its number can be seen from here: not in another
container).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from growbin_jobs.engine.node.process_facts import STOPPED, facts_of

#: Byte of the file ``-shm`` that whoever writes has locked (https://sqlite.org/walformat.html, "WAL locks").
_WRITE_LOCK = 120

#: Byte of the file itself that is locked by who lets nobody else even read it, such as a tool that has it to itself
#: (https://sqlite.org/lockingv3.html: the first of the bytes that each reader shares).
_EXCLUSIVE_LOCK = 0x40000002


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A process that holds a lock now.

    Attributes:
      stopped: It is stopped, and holds the lock until it is continued.
    """

    pid: int
    stopped: bool

    def __str__(self) -> str:
        name = f"process {self.pid}"
        remedy = f"continue it by kill -CONT {self.pid}, or end it by kill -9 {self.pid}"
        return f"{name}, which is stopped: {remedy}" if self.stopped else name


def holder_of(path: Path) -> LockHolder | None:
    """Return who holds the lock of a SQLite file that others wait for; None: nobody, or nobody that can be seen."""
    path = Path(os.path.realpath(path))
    return _holder("POSIX", Path(f"{path}-shm"), _WRITE_LOCK) or _holder("POSIX", path, _EXCLUSIVE_LOCK)


def flock_holder_of(path: Path) -> LockHolder | None:
    """Return who has locked a file or folder for itself (``flock``); None: nobody, or nobody that can be seen."""
    return _holder("FLOCK", Path(os.path.realpath(path)), 0)


def _holder(kind: str, path: Path, byte: int) -> LockHolder | None:
    with suppress(OSError, ValueError, IndexError):
        inode = str(path.stat().st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            # "1: POSIX  ADVISORY  WRITE 4711 fe:00:131 120 120"; who waits for a lock has "->" behind the number.
            fields = line.split()
            if fields[1] == kind and fields[3] == "WRITE" and fields[5].rpartition(":")[2] == inode:
                first, last, pid = int(fields[6]), fields[7], int(fields[4])
                if first <= byte and (last == "EOF" or int(last) >= byte) and _has_open(pid, path):
                    facts = facts_of(pid)
                    return LockHolder(pid, facts is not None and facts.state == STOPPED)
    return None


def _has_open(pid: int, path: Path) -> bool:
    """Return whether a process has a file open: another device may have a file of the same number."""
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(entry.path) == str(path):
                    return True
    return False
