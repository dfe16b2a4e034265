"""Lists the living worker processes of this node and what each is, for the keeper, which reports them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from growbin_jobs.engine.node.process_lock import ProcessLock, find_dead, known
from growbin_jobs.engine.processes import fork_lock, watch_forks


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProcess:
    """One worker process.

    Attributes:
      master: Process number of the ``dramatiq`` that it belongs to.
      group: Such as ``storage``; ``other`` where its queues are no group's.
      threads: Threads or greenlets.
      queues: What it consumes.
      started_at: Seconds since 1970, UTC.
    """

    pid: int
    master: int
    group: str
    threads: int
    queues: tuple[str, ...]
    version: str
    started_at: float


class Presence:
    """This process, among the workers of its node until it dies or leaves.

    Parameters:
      folder: Of the node.
      process: What it is.

    Raises:
      OSError: If it cannot be announced, for instance on a full disk.
    """

    def __init__(self, folder: Path, process: WorkerProcess) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the data folder may be missing too
        self._owner: ProcessLock | None = ProcessLock(_workers(folder))
        (_workers(folder) / self._owner.name).write_text(json.dumps(asdict(process)))
        with fork_lock:
            watch_forks(self)

    def leave(self) -> None:
        """Be gone before the process is. May be called twice."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.leave()

    # --- at a fork, see processes.py

    def pause(self) -> None:
        """Nothing has to be paused."""

    def resume(self) -> None:
        """Nothing was paused."""

    def abandon(self) -> None:
        """In the child: let go. A child that lives on would keep its parent alive in the keeper's eyes."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.let_go()


def present(folder: Path) -> dict[str, WorkerProcess | None]:
    """Return the living worker processes of a node, by a name that is never used twice; None for one that just starts.

    Forgets the dead.
    """
    if not _workers(folder).is_dir():  # nobody has begun here, or nobody can
        return {}
    for dead in find_dead(_workers(folder)):
        dead.remove()
    return {name: _read(_workers(folder) / name) for name in known(_workers(folder))}


def _workers(folder: Path) -> Path:
    return folder / "workers"


def _read(path: Path) -> WorkerProcess | None:
    with suppress(OSError, ValueError, TypeError):
        facts = json.loads(path.read_text())
        return WorkerProcess(**facts | {"queues": tuple(facts["queues"])})
    return None
