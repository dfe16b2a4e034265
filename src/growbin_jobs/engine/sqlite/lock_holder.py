"""Names the process that holds the write lock of a SQLite file.

SQLite's locks have no end: a process that is stopped (SIGSTOP) in the middle of a write holds everybody up until it
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


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A process that writes now.

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
    """Return who holds the write lock of a SQLite file in WAL mode; None: nobody, or nobody that can be seen."""
    with suppress(OSError, ValueError, IndexError):
        shared = Path(f"{path.resolve()}-shm")
        inode = str(shared.stat().st_ino)
        for line in Path("/proc/locks").read_text().splitlines():
            # "1: POSIX  ADVISORY  WRITE 4711 fe:00:131 120 120"; who waits for a lock has "->" behind the number.
            fields = line.split()
            if fields[1] == "POSIX" and fields[3] == "WRITE" and fields[5].rpartition(":")[2] == inode:
                first, last, pid = int(fields[6]), fields[7], int(fields[4])
                if first <= _WRITE_LOCK and (last == "EOF" or int(last) >= _WRITE_LOCK) and _has_open(pid, shared):
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
