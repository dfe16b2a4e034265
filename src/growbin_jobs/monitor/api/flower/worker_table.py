"""``/workers?json=1``: the rows of Flower's own page of workers."""

from __future__ import annotations

from typing import Any

from growbin_jobs.monitor.api.flower.worker_names import worker_name
from growbin_jobs.operations.worker_states import Presence, WorkerState, WorkerStates

#: What nobody counts by worker.
_UNCOUNTED = (
    "processed", "task-received", "task-started", "task-succeeded", "task-failed", "task-retried", "task-rejected",
    "worker-online", "worker-heartbeat",
)  # fmt: skip


def worker_table(found: WorkerStates) -> dict[str, Any]:
    """Return a row for each worker, those that are gone too; null is what nobody counts."""
    return {"data": [_row(state) for state in (*found.present, *found.gone)]}


def _row(state: WorkerState) -> dict[str, Any]:
    group = state.group
    known = {
        "hostname": worker_name(group.node, group.group_name),
        "pid": group.pids[0] if group.pids else None,
        "freq": 10.0,
        "heartbeats": [group.seen_at.timestamp()],
        "clock": None,
        "active": 0 if state.presence is Presence.GONE else group.running,
        "loadavg": None,
        "sw_ident": "growbin-jobs",
        "sw_ver": group.version,
        "sw_sys": None,
        "status": state.presence is Presence.WORKING,
    }
    return known | dict.fromkeys(_UNCOUNTED)
