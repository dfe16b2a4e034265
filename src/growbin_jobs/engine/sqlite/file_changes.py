"""Whether files may have been written: two calls of ``stat`` in place of a question to the database."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: Seconds within which two writes may leave the same time on a file: a kernel's clock for files moves in steps of some
#: milliseconds. Where a time is a whole number of seconds, the file system may know no others; FAT has even ones.
STEP: Final = 0.1
COARSE_STEP: Final = 2.0

#: Seconds after which the answer is yes in any case.
REFRESH: Final = 10.0


class FileChanges:
    """Spares an idle process its questions: they find nothing as long as nobody has written.

    Parameters:
      paths: Files; or folders, for files that come, go or are replaced in them.
      clock: Seconds since 1970, UTC, as the file system counts them.
    """

    def __init__(self, *paths: Path, clock: Callable[[], float] = time.time) -> None:
        self._paths = paths
        self._clock = clock
        self._seen: tuple[tuple[int, ...], ...] | None = None
        self._looked_at = 0.0

    @classmethod
    def of_database(cls, path: Path, *, clock: Callable[[], float] = time.time) -> FileChanges:
        """Return what tells of writes to a SQLite file: a commit writes to its ``-wal``, a checkpoint to itself."""
        return cls(path, path.with_name(f"{path.name}-wal"), clock=clock)

    def any(self) -> bool:
        """Return False only if nobody has written since this last returned True. Ask this first, and the database then.

        It returns True also where that cannot be told: after a write a moment ago, and every :data:`REFRESH` seconds.
        """
        now = self._clock()
        found = tuple(_signature(path) for path in self._paths)
        if found == self._seen and 0 <= now - self._looked_at < REFRESH:
            return False
        is_settled = all(not each or 0 <= each[0] / 1e9 < now - _step(each[0]) for each in found)
        self._seen = found if is_settled else None
        self._looked_at = now
        return True

    def forget(self) -> None:
        """Let the next answer be yes: what was asked then has failed, or has more to do."""
        self._seen = None


def _step(nanoseconds: int) -> float:
    return STEP if nanoseconds % 1_000_000_000 else COARSE_STEP


def _signature(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
