"""What each worker process of a node has fetched and not started, told by a file each, for the keeper's heartbeat.

A file of its own and not a part of the process's presence: that one is read by keepers of the release before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Messages of one process that are named; the others are only counted.
MOST = 100


@dataclass(frozen=True, slots=True)
class ReservedMessages:
    """What one process told last.

    Attributes:
      count: How many messages.
      tasks: The first of them: ``id``, ``actor``, ``queue``, and ``pid`` of the process.
    """

    count: int
    tasks: list[dict[str, Any]]


class Reserved:
    """This process's file.

    Parameters:
      folder: Of the node.
    """

    def __init__(self, folder: Path) -> None:
        self._path = _folder(folder) / f"{os.getpid()}.json"
        self._pid = os.getpid()

    def tell(self, work_queue: Any, consumers: Iterable[Any] = ()) -> None:
        """Write what waits in a worker. On a full disk nothing is told, and the file before is taken back.

        Parameters:
          consumers: Its consumers: what those have that do not hand it out, as of a paused queue, is only counted.
          work_queue: :class:`growbin_jobs.engine.fast.work_queue.WorkQueue`, or Dramatiq's own one.
        """
        try:
            waiting = work_queue.waiting(MOST) if hasattr(work_queue, "waiting") else list(work_queue.queue)[:MOST]
            tasks = [
                {"id": each.message_id, "actor": each.actor_name, "queue": each.queue_name, "pid": self._pid}
                for each in (item.message for item in waiting)
            ]
            count = max(work_queue.qsize(), len(tasks)) + sum(getattr(each, "waiting", 0) for each in consumers)
            facts = json.dumps({"count": count, "tasks": tasks})
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            written = self._path.with_suffix(".new")
            written.write_text(facts, encoding="utf-8")
            written.replace(self._path)
        except (OSError, RuntimeError):  # the queue has changed while it was read: the next time will do
            self.withdraw()

    def withdraw(self) -> None:
        """Tell nothing any more."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def told(folder: Path) -> dict[int, ReservedMessages]:
    """Return what the processes of a node told last, by process number, also of some that have died since.

    Parameters:
      folder: Of the node.
    """
    found = {}
    for path in _folder(folder).glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            facts = json.loads(path.read_text(encoding="utf-8"))
            found[int(path.stem)] = ReservedMessages(int(facts["count"]), list(facts["tasks"])[:MOST])
    return found


def forget_dead(folder: Path, living: set[int]) -> None:
    """Delete the files of processes that do not live any more.

    Parameters:
      folder: Of the node.
      living: Process numbers.
    """
    for path in _folder(folder).glob("*.json"):
        if path.stem.isdecimal() and int(path.stem) not in living:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _folder(folder: Path) -> Path:
    return folder / "reserved"
