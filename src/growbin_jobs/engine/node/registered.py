"""Which actors each worker process of a node knows, told by a file each, for the keeper's heartbeat.

A file of its own and not a part of the process's presence: that one is read by keepers of the release before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path


def tell(folder: Path, actors: Collection[str]) -> None:
    """Write which actors this process knows.

    Parameters:
      folder: Of the node.

    Raises:
      OSError: If it cannot be written, for instance on a full disk.
    """
    path = _folder(folder) / f"{os.getpid()}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    written.write_text(json.dumps(sorted(actors)), encoding="utf-8")
    written.replace(path)


def told(folder: Path, pids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return which actors the living processes of a node know, by process number. Forgets the others.

    Parameters:
      pids: Of those that live.
    """
    found = {}
    with suppress(FileNotFoundError):
        for entry in os.scandir(_folder(folder)):
            pid, _, ending = entry.name.partition(".")
            if ending != "json" or not pid.isdecimal():
                continue
            with suppress(OSError, ValueError, TypeError):
                if int(pid) not in pids:
                    os.unlink(entry.path)
                else:
                    found[int(pid)] = tuple(map(str, json.loads(Path(entry.path).read_bytes())))
    return found


def _folder(folder: Path) -> Path:
    return folder / "actors"
