"""What a keeper does, each as ``run_once() -> small result``. A result is true where something was done."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from growbin_jobs.engine.central.sync import Copied, Sync
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.forwarding import relay
from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import outbox, prune, reader
from growbin_jobs.engine.node.presence import WorkerProcess, present

#: Rows of groups that stopped this long ago and left nothing behind are forgotten.
FORGET_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Copy:
    """Bring what has changed to the central database."""

    sync: Sync

    def run_once(self) -> Copied:
        return self.sync.run_once()


@dataclass(frozen=True, slots=True)
class Sweep:
    """Bring everything to the central database that it lacks, for whatever reason."""

    sync: Sync

    def run_once(self) -> Copied:
        return self.sync.sweep()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Copy the journal's write-ahead log into its database, so that the log stays small."""

    journal: Journal

    def run_once(self) -> dict[str, int]:
        pages, copied = files.checkpoint(self.journal.path)
        return {"pages": pages, "copied": copied}


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete from the journal what is older than it may be, and forget workers that are long gone."""

    journal: Journal
    retention: prune.Retention
    workers: Workers

    def run_once(self) -> dict[str, int]:
        deleted = prune.prune(self.journal.write, self.retention, now=time.time())
        forgotten = self.workers.forget(stopped_before=datetime.now(UTC) - FORGET_AFTER)
        return {table: count for table, count in (deleted | {"workers": forgotten}).items() if count}


@dataclass(frozen=True, slots=True)
class Relay:
    """Send what is owed to the broker and nobody else has sent.

    Attributes:
      publish: Hands a page to the broker and returns once that has it: ``forward`` of either broker.
      older_than: Seconds that a task's messages are left to the worker that made them.
    """

    journal: Journal
    publish: relay.Publish
    older_than: float

    def run_once(self) -> dict[str, int]:
        return self.send(self.older_than)

    def send(self, older_than: float) -> dict[str, int]:
        """Send all that is owed for longer than so many seconds."""
        sender = relay.Relay(self.journal, self.publish, claimant=self.journal.worker)
        sent = sender.run(older_than).sent
        return {"sent": sent} if sent else {}

    def owed(self) -> int:
        """Return how many messages are owed, those of tasks included."""
        return self.journal.read(outbox.count)


@dataclass(slots=True)
class Heartbeat:
    """Tell the central database who works here, and what the journal still holds."""

    journal: Journal
    sync: Sync
    workers: Workers
    folder: Path
    clock: Callable[[], float] = field(default=time.time)

    def run_once(self) -> list[WorkerGroup]:
        """Report the groups whose processes live; those of this node that do not any more have stopped."""
        backlog, owed = self.sync.backlog(), self.journal.backlog()
        now = datetime.fromtimestamp(self.clock(), UTC)
        running = _by_pid(self.journal.read(reader.running_by_worker))
        groups = []
        for name, processes in _by_group(present(self.folder).values()).items():
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
            )
            groups.append(group)
        self.workers.report(self.journal.node, groups, unsynced=backlog.rows, owed=owed, at=now)
        return groups


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
