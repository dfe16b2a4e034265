"""``/workers?json=1``: the rows of Flower's own page of workers."""

from __future__ import annotations

from collections import Counter
from typing import Any

from growbin_jobs.engine.central.workers import WorkerGroup
from growbin_jobs.monitor.api.flower.worker_counts import TYPES, WorkerCounts, events_of
from growbin_jobs.monitor.api.flower.worker_names import worker_name
from growbin_jobs.operations.worker_states import Presence, WorkerState, WorkerStates

#: Events that Celery's workers send of themselves; ours write a row instead.
_UNCOUNTED = ("worker-online", "worker-heartbeat")


def worker_table(found: WorkerStates, counts: WorkerCounts) -> dict[str, Any]:
    """Return a row for each worker, those that are gone too; null is what nobody counts."""
    return {"data": [_row(state, _sums(counts, state.group)) for state in (*found.present, *found.gone)]}


def _row(state: WorkerState, sums: dict[str, int | None]) -> dict[str, Any]:
    group = state.group
    known = {
        "hostname": worker_name(group.node, group.group_name),
        "pid": group.pids[0] if group.pids else None,
        "freq": 10.0,
        "heartbeats": [group.seen_at.timestamp()],
        "clock": None,
        "active": 0 if state.presence is Presence.GONE else group.running,
        "processed": sums["task-received"],
        "loadavg": None,
        "sw_ident": "growbin-jobs",
        "sw_ver": group.version,
        "sw_sys": None,
        "status": state.presence is Presence.WORKING,
    }
    return known | sums | dict.fromkeys(_UNCOUNTED)


def _sums(counts: WorkerCounts, group: WorkerGroup) -> dict[str, int | None]:
    """Return how many events of each type; None where the node says nothing of its counts."""
    if not counts.has(group):
        return dict.fromkeys(TYPES)
    total: Counter[str] = Counter()
    for by_type in events_of(counts.of(group)).values():
        total.update(by_type)
    return {name: total[name] for name in TYPES}
