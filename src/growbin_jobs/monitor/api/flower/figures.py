"""``/metrics`` by Flower's names: who works, what runs, and what workers have counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from growbin_jobs.metrics.counted import RUN_SECONDS
from growbin_jobs.models.node_counts import ActorCounts
from growbin_jobs.monitor.api.flower.worker_counts import WorkerCounts, events_of, worker_counts_of
from growbin_jobs.monitor.api.flower.worker_names import worker_name
from growbin_jobs.monitor.reading.state import present_workers_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.worker_states import Presence, WorkerState

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])

_MORE = "# More of them: /metrics of each node, port 9090, and of the scheduler, port 9091 (docs/metrics.md).\n"


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Return gauges and counters of the workers that are there; those of a worker that has gone end with it."""
    services, registry = request.app.state.services, CollectorRegistry(auto_describe=False)
    registry.register(_Figures(present_workers_of(services), worker_counts_of(services)))
    text = _MORE + generate_latest(registry).decode("utf-8", "replace")
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


class _Figures(Collector):
    def __init__(self, states: Sequence[WorkerState], counts: WorkerCounts) -> None:
        self._states, self._counts = states, counts

    def collect(self) -> Iterator[Metric]:
        yield from self._gauges()
        yield from self._counters()

    def _gauges(self) -> Iterator[Metric]:
        online = GaugeMetricFamily("flower_worker_online", "Whether a worker reports.", labels=["worker"])
        running = GaugeMetricFamily(
            "flower_worker_number_of_currently_executing_tasks", "Tasks that run.", labels=["worker"]
        )
        fetched = GaugeMetricFamily(
            "flower_worker_prefetched_tasks", "Messages that are fetched and not begun, those that a worker names.",
            labels=["worker", "task"],
        )  # fmt: skip
        for state in self._states:
            name, reserved = _name(state), state.group.reserved_tasks or ()
            online.add_metric([name], float(state.presence is Presence.WORKING))
            running.add_metric([name], state.group.running)
            for actor, number in Counter(str(each.get("actor", "")) for each in reserved).items():
                fetched.add_metric([name, actor], number)
        yield from (online, running, fetched)

    def _counters(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "flower_events", "Runs of tasks by Celery's events; all of them are counted when a run ends.",
            labels=["worker", "type", "task"],
        )  # fmt: skip
        took = HistogramMetricFamily("flower_task_runtime_seconds", "How long runs took.", labels=["worker", "task"])
        for state in self._states:
            name, counts = _name(state), self._counts.of(state.group)
            for actor, by_type in events_of(counts).items():
                for type_, number in by_type.items():
                    events.add_metric([name, type_, actor], number)
            for actor, seconds in _seconds(counts).items():
                ends = [*map(str, RUN_SECONDS), "+Inf"]
                buckets = list(zip(ends, accumulate(seconds[:-1]), strict=True))
                took.add_metric([name, actor], buckets=buckets, sum_value=seconds[-1])
        yield from (events, took)


def _name(state: WorkerState) -> str:
    return worker_name(state.group.node, state.group.group_name)


def _seconds(counts: Sequence[ActorCounts]) -> dict[str, list[float]]:
    """Return how long runs took, by actor; without those of a version that counted by other bounds."""
    found: dict[str, list[float]] = {}
    for each in counts:
        if len(each.seconds) == len(RUN_SECONDS) + 2:
            before = found.get(each.actor, [0.0] * len(each.seconds))
            found[each.actor] = [a + b for a, b in zip(before, each.seconds, strict=True)]
    return found
