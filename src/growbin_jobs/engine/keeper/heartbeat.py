"""Reports to the central database who works on this node, and what its journal still holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from growbin_jobs.engine.central.clock import time_of
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.worker_actors import WorkerActors
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import reader
from growbin_jobs.engine.node import registered
from growbin_jobs.engine.node.beats import forget_beats
from growbin_jobs.engine.node.presence import WorkerProcess, present
from growbin_jobs.engine.node.reserved import MOST, forget_dead, told


@dataclass(slots=True)
class Heartbeat:
    """Write the row of each worker group of this node.

    Attributes:
      folder: Of the node.

    The moment is the database's: of a node whose own clock is ahead, nobody could tell whether it lives.
    """

    journal: Journal
    sync: Sync
    workers: Workers
    folder: Path

    def run_once(self) -> list[WorkerGroup]:
        """Report the groups whose processes live; those of this node that do not any more have stopped."""
        backlog, owed = self.sync.backlog(), self.journal.backlog()
        now = time_of(self.workers.database)
        running = _by_pid(self.journal.read(reader.running_by_worker))
        living = present(self.folder).values()
        forget_beats(self.folder, {process.pid for process in living if process is not None})
        groups, reserved = [], told(self.folder)
        by_group = _by_group(living)
        for name, processes in by_group.items():
            pids = sorted(process.pid for process in processes)
            group = WorkerGroup(
                node=self.journal.node,
                group_name=name,
                version=", ".join(sorted({process.version for process in processes})),
                pids=pids,
                processes=len(pids),
                threads=sum(process.threads for process in processes),
                queues=sorted({queue for process in processes for queue in process.queues}),
                running=sum(running.get(pid, 0) for pid in pids),
                unsynced=backlog.rows,
                owed=owed,
                lag=backlog.lag,
                started_at=datetime.fromtimestamp(min(process.started_at for process in processes), UTC),
                seen_at=now,
                reserved=sum(reserved[pid].count for pid in pids if pid in reserved),
                reserved_tasks=[each for pid in pids if pid in reserved for each in reserved[pid].tasks][:MOST],
            )
            groups.append(group)
        forget_dead(self.folder, {pid for group in groups for pid in group.pids})
        self.workers.report(self.journal.node, groups, unsynced=backlog.rows, owed=owed, at=now)
        WorkerActors(self.workers.database).report(self.journal.node, self._actors(by_group), at=now)
        return groups

    def _actors(self, by_group: Mapping[str, list[WorkerProcess]]) -> dict[str, tuple[str, ...]]:
        known = registered.told(self.folder, {process.pid for each in by_group.values() for process in each})
        return {
            name: tuple(sorted({actor for process in processes for actor in known.get(process.pid, ())}))
            for name, processes in by_group.items()
        }


def _by_pid(by_worker: Mapping[str, int]) -> dict[int, int]:
    """How many tasks each process runs, by its number: the last part of its name in rows."""
    counts: dict[int, int] = defaultdict(int)
    for worker, count in by_worker.items():
        pid = worker.rpartition("/")[2]
        if pid.isdecimal():
            counts[int(pid)] += count
    return counts


def _by_group(processes: Iterable[WorkerProcess | None]) -> dict[str, list[WorkerProcess]]:
    groups: dict[str, list[WorkerProcess]] = defaultdict(list)
    for process in processes:
        if process is not None:
            groups[process.group].append(process)
    return groups
