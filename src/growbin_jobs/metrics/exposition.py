"""Shows numbers as Prometheus reads them: its text format, and OpenMetrics with exemplars where it asks for that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import exposition as text_format
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as open_metrics
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import Exemplar as Shown
from prometheus_client.utils import floatToGoString

from growbin_jobs.metrics import counted
from growbin_jobs.metrics.counts import Counts, Exemplar, Labels, known_metrics
from growbin_jobs.metrics.metric import Metric


class Reading(NamedTuple):
    """One number of a gauge, read now."""

    metric: Metric
    labels: Labels
    value: float


def render(counts: Counts, readings: Iterable[Reading], *, worker: str, accept: str = "") -> tuple[bytes, str]:
    """Return the page and its content type.

    Parameters:
      counts: What the node's processes have counted.
      readings: Gauges; one that could not be read is missing.
      worker: Name of the node.
      accept: The header of the request.
    """
    families = [*_counted(counts, worker), *_read(readings, worker)]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Ready(families))
    if "application/openmetrics-text" in accept:
        page: bytes = open_metrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return page, open_metrics.CONTENT_TYPE_LATEST
    return text_format.generate_latest(registry), text_format.CONTENT_TYPE_LATEST


class _Ready(Collector):
    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def _counted(counts: Counts, worker: str) -> Iterator[Family]:
    values = {**counts.values, **_of_dramatiq(counts)}
    for metric in known_metrics(values):
        family = _family(metric)
        exemplars = counts.exemplars.get(metric.name, {})
        for labels, numbers in sorted(values[metric.name].items()):
            named = _labels(metric, labels, worker)
            if metric.kind == "counter":
                family.add_sample(metric.name, named, numbers[0])
            elif len(numbers) == len(metric.buckets) + 2:  # else of a version with other buckets
                _histogram(family, metric, named, numbers, exemplars.get(labels, {}))
        yield family


def _histogram(
    family: Family, metric: Metric, named: dict[str, str], numbers: list[float], exemplars: Mapping[int, Exemplar]
) -> None:
    total = 0.0
    bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
    for place, (bound, number) in enumerate(zip(bounds, numbers, strict=False)):
        total += number
        known = exemplars.get(place)
        shown = Shown({"trace_id": known.trace_id}, known.value, known.at) if known else None
        family.add_sample(f"{metric.name}_bucket", {**named, "le": bound}, total, exemplar=shown)
    family.add_sample(f"{metric.name}_count", named, total)
    family.add_sample(f"{metric.name}_sum", named, numbers[-1])


def _read(readings: Iterable[Reading], worker: str) -> Iterator[Family]:
    families: dict[str, Family] = {}
    for reading in readings:
        family = families.setdefault(reading.metric.name, _family(reading.metric))
        family.add_sample(reading.metric.name, _labels(reading.metric, reading.labels, worker), reading.value)
    yield from families.values()


def _family(metric: Metric) -> Family:
    # In OpenMetrics a family of counters is named without the end that its samples have.
    return Family(metric.name.removesuffix("_total"), metric.help, metric.kind)


def _labels(metric: Metric, labels: Labels, worker: str) -> dict[str, str]:
    named = dict(zip(metric.labels, labels, strict=False))
    return named if metric.source == "cluster" else {"worker": worker, **named}


def _of_dramatiq(counts: Counts) -> dict[str, dict[Labels, list[float]]]:
    """Return the same counts under Dramatiq's own names."""
    found: dict[str, dict[Labels, list[float]]] = {}

    def add(metric: Metric, labels: Labels, number: float) -> None:
        by_labels = found.setdefault(metric.name, {})
        by_labels[labels] = [by_labels.get(labels, [0.0])[0] + number]

    for (queue, actor, status), [number] in counts.values.get(counted.TASKS.name, {}).items():
        if status != "requeued":
            add(counted.DRAMATIQ_MESSAGES, (queue, actor), number)
        if status in ("failed", "dead"):
            add(counted.DRAMATIQ_ERRORS, (queue, actor), number)
        if status in ("failed", "deferred"):
            add(counted.DRAMATIQ_RETRIES, (queue, actor), number)
        if status == "dead":
            add(counted.DRAMATIQ_REJECTS, (queue, actor), number)
    seconds = counts.values.get(counted.TASK_SECONDS.name)
    if seconds:
        found[counted.DRAMATIQ_MS.name] = {
            labels: [*numbers[:-1], 1000 * numbers[-1]] for labels, numbers in seconds.items()
        }
    return found
