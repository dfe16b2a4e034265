"""The keeper's job: copies what the messages of its node say into the central database."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from growbin_jobs.engine.task_progress import files
from growbin_jobs.engine.task_progress.table import KEEP, TaskProgress

#: Seconds after which the file of a process that says nothing more is deleted.
STALE = 3600.0


class CopyProgress:
    """Copies what has changed since its last run.

    Parameters:
      node: Name of this node.
      node_dir: Its folder.
      table: Where it is copied to.
      clock: Seconds since 1970, UTC.
    """

    def __init__(
        self, node: str, node_dir: Path, table: TaskProgress, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._node = node
        self._node_dir = node_dir
        self._table = table
        self._clock = clock
        self._seen: dict[Path, int] = {}
        self._copied: dict[Path, float] = {}

    def run_once(self) -> int:
        """Copy it.

        Returns:
          How many messages have said something new.

        Raises:
          Deferred: The database is away.
        """
        copied = 0
        living = set()
        for path in files.all_of(self._node_dir):
            with suppress(FileNotFoundError):
                changed_at = path.stat()
                living.add(path)
                if changed_at.st_mtime_ns != self._seen.get(path):
                    copied += self._copy(path)
                    self._seen[path] = changed_at.st_mtime_ns
                elif changed_at.st_mtime < self._clock() - STALE:
                    path.unlink()
        for gone in self._seen.keys() - living:
            del self._seen[gone]
            self._copied.pop(gone, None)
        return copied

    def _copy(self, path: Path) -> int:
        before = self._copied.get(path, 0.0)
        new = {task_id: each for task_id, each in files.read(path).items() if each.at > before}
        self._table.take(self._node, new)
        self._copied[path] = max((each.at for each in new.values()), default=before)
        return len(new)


class ForgetProgress:
    """Deletes what tasks said long ago."""

    def __init__(self, table: TaskProgress, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock

    def run_once(self) -> int:
        """Delete it; return how many rows.

        Raises:
          Deferred: The database is away.
        """
        return self._table.forget(before=self._clock() - KEEP.total_seconds())
