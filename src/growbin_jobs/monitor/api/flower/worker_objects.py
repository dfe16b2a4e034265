"""Workers in Flower's shape: what Celery's workers say of themselves, of ours one for each group on a node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from growbin_jobs.engine.central.search.task_detail import TaskDetails
from growbin_jobs.engine.central.worker_actors import WorkerActors
from growbin_jobs.engine.control.instructions import Target
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.inspect import ActiveTask, Inspector, ScheduledTask
from growbin_jobs.monitor.api.flower.task_objects import arguments_of
from growbin_jobs.monitor.api.flower.task_texts import Texts, texts_of
from growbin_jobs.monitor.api.flower.worker_counts import WorkerCounts, events_of, worker_counts_of
from growbin_jobs.monitor.api.flower.worker_names import pid_of, worker_name
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations.worker_states import WorkerState


@dataclass(frozen=True, slots=True)
class Doing:
    """What all workers do, and what they were told."""

    active: list[ActiveTask]
    scheduled: list[ScheduledTask]
    actors: dict[tuple[str, str], tuple[str, ...]]
    revoked: list[str]
    texts: defaultdict[str, Texts]
    counts: WorkerCounts


def doing(services: Services, states: list[WorkerState], *, messages: bool) -> Doing:
    """Ask what all workers do.

    Parameters:
      states: The workers.
      messages: May the asker see messages?

    Raises:
      Deferred: The database is away.
    """
    inspector = Inspector(services.engine, _NoBroker(), services.database)
    active, scheduled = inspector.active(), inspector.scheduled()
    reserved = [str(each["id"]) for state in states for each in state.group.reserved_tasks or ()]
    ids = [each.task_id for each in active] + [each.task_id for each in scheduled] + reserved
    lines = TaskDetails(services.database).some(ids[:3000]) if messages else []
    actors = {(each.node, each.group_name): each.actors for each in WorkerActors(services.database).all()}
    revoked = [each.name for each in Control(services.database).read().all if each.target is Target.MESSAGE]
    texts = texts_of(services.database, lines, messages=messages)
    return Doing(active, scheduled, actors, revoked, texts, worker_counts_of(services))


class _NoBroker:
    """Workers are asked about by the database alone."""

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Any]:  # noqa: ARG002
        return {}


def worker_object(state: WorkerState, all_: Doing) -> dict[str, Any]:
    """Return one worker with Flower's keys."""
    group = state.group
    name = worker_name(group.node, group.group_name)
    active = [each for each in all_.active if each.node == group.node and each.queue in group.queues]
    scheduled = [each for each in all_.scheduled if each.node == group.node and each.queue in group.queues]

    def item(task_id: str, actor: str, queue: str, began: float | None, pid: int | None) -> dict[str, Any]:
        message = all_.texts[task_id].message
        args, kwargs = arguments_of(message) if message else (None, None)
        return {
            "id": task_id, "name": actor, "args": args, "kwargs": kwargs, "type": actor, "hostname": name,
            "time_start": began, "acknowledged": False,
            "delivery_info": {"exchange": "", "routing_key": queue, "priority": None, "redelivered": None},
            "worker_pid": pid,
        }  # fmt: skip

    return {
        "active": [item(each.task_id, each.actor, each.queue, each.started_at, pid_of(each.worker)) for each in active],
        "active_queues": [_queue(queue) for queue in group.queues],
        "conf": {
            "worker_concurrency": group.threads, "task_acks_late": True, "enable_utc": True, "timezone": "UTC",
            "version": group.version,
        },
        "registered": list(all_.actors.get((group.node, group.group_name), ())),
        "reserved": [
            item(str(each["id"]), str(each.get("actor", "")), str(each.get("queue", "")), None, each.get("pid"))
            for each in group.reserved_tasks or ()
        ],
        "revoked": all_.revoked,
        "scheduled": [
            {
                "eta": datetime.fromtimestamp(each.due_at, UTC).isoformat(), "priority": None,
                "request": item(each.task_id, each.actor, each.queue, None, None),
            }
            for each in scheduled
        ],
        "stats": _stats(state, len(active), all_.counts),
        "timestamp": group.seen_at.timestamp(),
    }  # fmt: skip


def _queue(name: str) -> dict[str, Any]:
    return {
        "name": name, "routing_key": name, "durable": True, "auto_delete": False, "exclusive": False,
        "exchange": {"name": "", "type": "direct"},
    }  # fmt: skip


def _stats(state: WorkerState, active: int, counts: WorkerCounts) -> dict[str, Any]:
    """Return the figures of a worker; empty or null where nobody counts such a thing."""
    group = state.group
    events = events_of(counts.of(group))
    return {
        "total": {actor: by_type["task-received"] for actor, by_type in events.items()},
        "pid": group.pids[0] if group.pids else None,
        "clock": None,
        "uptime": max(0, int((group.seen_at - group.started_at).total_seconds())),
        "pool": {
            "max-concurrency": group.threads, "processes": group.pids, "max-tasks-per-child": None,
            "put-guarded-by-semaphore": None, "timeouts": [], "running": max(group.running, active),
        },
        "broker": {},
        "prefetch_count": group.reserved,
        "rusage": {},
    }  # fmt: skip
