"""What all nodes do now, asked from any process: what runs, what is scheduled, who works, what waits in which queue.

It comes from the central database, which each node's keeper brings up to date within two seconds (workers: ten), and
from the broker. What the journal of this node knows is in it at once.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from growbin_jobs.engine.control.instructions import Instruction, Target
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Deferred, Transient
from growbin_jobs.engine.task_progress.files import Progress
from growbin_jobs.engine.threads import offload_to

if TYPE_CHECKING:
    from collections.abc import Iterable

    from growbin_jobs.engine.broker.port import Depth
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.central.worker_actors import Registered
    from growbin_jobs.engine.central.workers import WorkerGroup
    from growbin_jobs.engine.config import EngineConfig

#: Tasks that one call returns unless it is told otherwise.
LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveTask:
    """A message that runs. Short runs end before anybody can see them here.

    Attributes:
      started_at: Seconds since 1970, UTC.
      progress: What it has said last; None: nothing.
    """

    task_id: str
    actor: str
    queue: str
    node: str
    worker: str | None
    started_at: float | None
    retries: int
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledTask:
    """A message that runs later: a retry, something put off, or something that was sent with a delay.

    Attributes:
      due_at: When, seconds since 1970, UTC.
      error: Why its latest run did not complete; None: it has not run.
    """

    task_id: str
    actor: str
    queue: str
    node: str
    due_at: float
    retries: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """One queue. None for a number: this broker cannot tell.

    Attributes:
      ready: Messages that wait for a worker.
      claimed: At workers, running or reserved.
      reserved: At workers, and not begun, as far as it is known who runs.
      delayed: Not due yet. RabbitMQ cannot say of which queue.
      dead: Given up, with the broker.
      paused: Who has paused it, and why; None: nobody.
    """

    name: str
    ready: int
    claimed: int | None
    reserved: int | None
    delayed: int | None
    dead: int
    paused: Instruction | None = None


class Depths(Protocol):
    """What this module asks a broker."""

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:
        """Return the depth of each queue that the broker knows of or that is named, as far as it exists."""


class Inspector:
    """Asks what all nodes do.

    Parameters:
      config: Of the engine.
      broker: Its broker.
      database: Its central database.

    All methods raise Deferred when the central database is away, and BrokerConnectionError when the broker is.
    """

    def __init__(self, config: EngineConfig, broker: Depths, database: Database) -> None:
        self._config = config
        self._broker = broker
        self._database = database

    def active(self, limit: int = LIMIT) -> list[ActiveTask]:
        """Return what runs, the longest first."""
        found = {each["task_id"]: each for each in self._tasks([TaskState.RUNNING], limit)}
        for each in self._here(limit):  # newer than its copy, or not copied so far
            found[each["task_id"]] = each
        from growbin_jobs.engine.task_progress.table import TaskProgress

        said = TaskProgress(self._database).of_many(list(found))
        tasks = [
            ActiveTask(
                task_id=row["task_id"], actor=row["task_name"], queue=row["queue_name"], node=row["node"],
                worker=row["worker"], started_at=_seconds(row["started_at"]), retries=row["retry_count"],
                progress=said.get(row["task_id"]),
            )
            for row in found.values()
        ]  # fmt: skip
        return sorted(tasks, key=lambda each: each.started_at or 0.0)[:limit]

    def scheduled(self, limit: int = LIMIT) -> list[ScheduledTask]:
        """Return what is due later, the next first. A message that was sent with a delay is known once it is copied."""
        from growbin_jobs.engine.central.tasks import TaskRow

        later = TaskRow.due_at > datetime.now(UTC)
        rows = self._tasks([TaskState.FAILED, TaskState.PENDING], limit, later)
        tasks = [
            ScheduledTask(
                task_id=row["task_id"], actor=row["task_name"], queue=row["queue_name"], node=row["node"],
                due_at=row["due_at"].timestamp(), retries=row["retry_count"], error=row["error"],
            )
            for row in rows
        ]  # fmt: skip
        return sorted(tasks, key=lambda each: each.due_at)

    def reserved(self) -> dict[str, int]:
        """Return how many messages of each queue the workers hold that have not begun.

        A queue of which the broker cannot say how many are at workers is left out.
        """
        return {each.name: each.reserved for each in self.queues() if each.reserved is not None}

    def registered(self) -> list[Registered]:
        """Return which actors the workers of each node know."""
        from growbin_jobs.engine.central.worker_actors import WorkerActors

        return WorkerActors(self._database).all()

    def workers(self) -> list[WorkerGroup]:
        """Return the worker groups of all nodes, also those that have stopped lately."""
        from growbin_jobs.engine.central.workers import Workers

        return Workers(self._database).all()

    def queues(self) -> list[QueueState]:
        """Return all queues that the configuration names, the broker knows of, workers consume, or messages wait in."""
        from growbin_jobs.engine.broker.port import Depth
        from growbin_jobs.engine.control.table import Control

        consumed = [group.queues for group in self.workers() if group.stopped_at is None]
        named = self._used().union(*(group.queues for group in self._config.groups), *consumed)
        depths = self._broker.depths(named)
        names = named | set(depths)
        paused = {each.name: each for each in Control(self._database).read().all if each.target is Target.QUEUE}
        running = Counter(each.queue for each in self.active())
        states = []
        for name in sorted(names):
            depth = depths.get(name, Depth())
            reserved = None if depth.claimed is None else max(0, depth.claimed - running[name])
            states.append(
                QueueState(
                    name=name, ready=depth.ready, claimed=depth.claimed, reserved=reserved, delayed=depth.delayed,
                    dead=depth.dead, paused=paused.get(name),
                )
            )  # fmt: skip
        return states

    def _used(self) -> set[str]:
        """Return the queues in which tasks wait, also those of a release that is gone."""
        from growbin_jobs.engine.central.tasks import TaskRow

        waiting = TaskRow.select(TaskRow.queue_name).where(TaskRow.status == TaskState.PENDING.value).distinct()
        return {row["queue_name"] for row in self._database.rows(waiting)}

    def _tasks(self, states: list[TaskState], limit: int, *more: Any) -> list[dict[str, Any]]:
        from growbin_jobs.engine.central.tasks import TaskRow

        row = TaskRow
        columns = (
            row.task_id, row.task_name, row.queue_name, row.node, row.worker, row.started_at, row.retry_count,
            row.due_at, row.error,
        )  # fmt: skip
        query = row.select(*columns).where(row.status.in_([each.value for each in states]), *more)
        return self._database.rows(query.order_by(row.created_at).limit(limit))

    def _here(self, limit: int) -> list[dict[str, Any]]:
        if not self._config.journal_path.exists():
            return []
        found: list[dict[str, Any]] = offload_to(
            "results", 4, _running, self._config.journal_path, self._config.node, limit
        )
        return found


def _running(path: Path, node: str, limit: int) -> list[dict[str, Any]]:
    import apsw

    from growbin_jobs.engine.journal.tables import reader

    try:
        with closing(reader.open_reader(path)) as connection:
            rows = reader.tasks(connection, TaskState.RUNNING, limit=limit)
    except (apsw.Error, Deferred, Transient):
        return []
    return [
        {
            "task_id": each.task_id, "task_name": each.task_name, "queue_name": each.queue_name, "node": node,
            "worker": each.worker, "started_at": each.started_at, "retry_count": each.retry_count,
        }
        for each in rows
    ]  # fmt: skip


def _seconds(moment: datetime | float | None) -> float | None:
    return moment.timestamp() if isinstance(moment, datetime) else moment
