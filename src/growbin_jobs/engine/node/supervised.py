"""Which processes a supervisor has started, told in a file of the node that outlives it.

It is locked as long as the supervisor lives. Who finds it unlocked knows that those processes are orphans
(:mod:`growbin_jobs.engine.node.orphans`). Standard library only.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from growbin_jobs.engine.node.locks import try_lock
from growbin_jobs.engine.node.process_facts import facts_of, here
from growbin_jobs.engine.node.process_lock import ProcessLock

#: Seconds that a file is kept which says nothing of processes that can be seen from here.
_KEPT = 86_400.0


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """A process that a supervisor has started.

    Attributes:
      name: Among its children.
      started: See :class:`growbin_jobs.engine.node.process_facts.ProcessFacts`.
    """

    name: str
    pid: int
    started: int

    def lives(self) -> bool:
        """Return True while that very process lives, and not another one of its number."""
        facts = facts_of(self.pid)
        return facts is not None and facts.started == self.started


@dataclass(frozen=True, slots=True)
class DeadSupervisor:
    """A supervisor that died without stopping its children.

    Attributes:
      path: Its file.
      grace: Seconds that its children have for ending once they were told to.
      children: Those that it had started last.
    """

    path: Path
    grace: float
    children: tuple[ChildProcess, ...]

    def forget(self) -> None:
        """Remove its file: none of its children lives any more."""
        self.path.unlink(missing_ok=True)


class Supervised:
    """The file of this supervisor. Where none can be made, as on a full disk, nothing is told.

    Parameters:
      folder: Of the node.
      grace: Seconds that the children have for ending once they were told to.
    """

    def __init__(self, folder: Path, grace: float) -> None:
        self._folder = _supervisors(folder)
        self._grace = grace
        self._lock: ProcessLock | None = None
        self._told: Mapping[str, int] | None = None

    def tell(self, pids: Mapping[str, int]) -> None:
        """Write which children it has now; does nothing where that is known.

        Parameters:
          pids: Numbers of their processes, by name.
        """
        if pids == self._told:
            return
        children = [
            ChildProcess(name, pid, facts.started) for name, pid in pids.items() if (facts := facts_of(pid)) is not None
        ]
        words = {"here": here(), "grace": self._grace, "children": [asdict(child) for child in children]}
        with suppress(OSError):
            self._lock = self._lock or self._make_lock()
            # In place: the lock is on this very file.
            with open(self._folder / self._lock.name, "r+b", buffering=0) as file:
                file.truncate(file.write(json.dumps(words).encode()))
            self._told = pids

    def leave(self) -> None:
        """Say that its children have ended. May be called twice."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.leave()

    def _make_lock(self) -> ProcessLock:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return ProcessLock(self._folder)


def dead_supervisors(folder: Path) -> Iterator[DeadSupervisor]:
    """Yield those supervisors of a node that have died and whose processes can be seen from here.

    Parameters:
      folder: Of the node.
    """
    with suppress(FileNotFoundError):
        for path in sorted(_supervisors(folder).iterdir()):
            with suppress(FileNotFoundError):
                if not _is_held(path) and (dead := _read(path)) is not None:
                    yield dead


def _supervisors(folder: Path) -> Path:
    return folder / "supervisors"


def _read(path: Path) -> DeadSupervisor | None:
    with suppress(ValueError, KeyError, TypeError):
        words = json.loads(path.read_bytes())
        children = tuple(ChildProcess(**child) for child in words["children"])
        if words["here"] == here():
            return DeadSupervisor(path, float(words["grace"]), children)
    # Of another boot, of a container whose processes are not seen from here, or written by halves.
    if time.time() - path.stat().st_mtime > _KEPT:
        path.unlink(missing_ok=True)
    return None


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Shared, so that two who ask at once do not take each other for the supervisor.
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)
