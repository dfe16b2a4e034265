"""``/metrics`` by Flower's names, as far as the central database knows them; each node's own has the rest."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.responses import Response

from growbin_jobs.monitor.api.flower.worker_names import worker_name
from growbin_jobs.monitor.reading.state import workers_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.worker_states import Presence

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])

_MORE = (
    "# Counters and histograms: /metrics of each node, port 9090, and of the scheduler, port 9091 (docs/metrics.md).\n"
)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Return who works, how much runs, and what is fetched. Counters are not here: no process sees them all."""
    registry = CollectorRegistry()
    online = Gauge("flower_worker_online", "Whether a worker reports.", ["worker"], registry=registry)
    running = Gauge(
        "flower_worker_number_of_currently_executing_tasks", "Tasks that run.", ["worker"], registry=registry
    )
    fetched = Gauge(
        "flower_worker_prefetched_tasks", "Messages that are fetched and not begun, those that a worker names.",
        ["worker", "task"], registry=registry,
    )  # fmt: skip
    found = workers_of(request.app.state.services)
    for state in found.present:
        name = worker_name(state.group.node, state.group.group_name)
        online.labels(name).set(state.presence is Presence.WORKING)
        running.labels(name).set(state.group.running)
        for actor, number in Counter(str(each.get("actor", "")) for each in state.group.reserved_tasks or ()).items():
            fetched.labels(name, actor).set(number)
    text = _MORE + generate_latest(registry).decode("utf-8", "replace")
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
