"""What one process has counted: numbers by metric and labels, safe from any thread.

A counter is a list of one number; a histogram has one for each bucket, one for what is beyond the last bound, and the
sum. Nothing here is ever taken away or made smaller.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.engine.threads import native
from growbin_jobs.metrics.metric import CATALOGUE, Metric

Labels = tuple[str, ...]

#: Sets of labels that one metric of a process has at most; what comes beyond is counted as :data:`OTHER`.
MOST_SETS = 500

#: In place of labels beyond that many, and of actors that nobody here knows.
OTHER = "other"


class Exemplar(NamedTuple):
    """One observation that has a trace."""

    trace_id: str
    value: float
    at: float


class Counts:
    """Numbers that only grow.

    Attributes:
      values: By the metric's name and the values of its labels.
      exemplars: The latest of a bucket, by the metric's name, labels and the bucket's place.
    """

    def __init__(self) -> None:
        self.values: dict[str, dict[Labels, list[float]]] = {}
        self.exemplars: dict[str, dict[Labels, dict[int, Exemplar]]] = {}
        # Not one of gevent's: native threads count too.
        self._lock = native("_thread", "allocate_lock")()

    def inc(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        """Count something.

        Parameters:
          metric: A counter.
          labels: The values of its labels, in their order.
          by: How much; not below 0.
        """
        if by > 0:
            with self._lock:
                self._numbers(metric, labels)[0] += by

    def observe(self, metric: Metric, *labels: str, value: float) -> None:
        """Note a value in a histogram; one below 0 is 0."""
        value = max(0.0, value)
        with self._lock:
            numbers = self._numbers(metric, labels)
            numbers[bisect_left(metric.buckets, value)] += 1
            numbers[-1] += value

    def numbers(self, metric: Metric, *labels: str) -> list[float]:
        """Return the numbers themselves, for one thread that adds to them often."""
        with self._lock:
            return self._numbers(metric, labels)

    def exemplify(self, metric: Metric, labels: Labels, value: float, trace_id: str) -> None:
        """Note which trace an observation belongs to."""
        bucket = bisect_left(metric.buckets, value)
        with self._lock:
            of_labels = self.exemplars.setdefault(metric.name, {}).setdefault(labels, {})
            of_labels[bucket] = Exemplar(trace_id, value, time.time())

    def add(self, values: Mapping[str, Mapping[Labels, list[float]]]) -> None:
        """Add what another process has counted; what the catalogue does not know is kept as it is."""
        with self._lock:
            for name, by_labels in values.items():
                mine = self.values.setdefault(name, {})
                for labels, numbers in by_labels.items():
                    known = mine.get(labels)
                    if known is None or len(known) != len(numbers):  # another version had other buckets
                        mine[labels] = list(numbers)
                    else:
                        mine[labels] = [a + b for a, b in zip(known, numbers, strict=True)]

    def add_exemplars(self, exemplars: Mapping[str, Mapping[Labels, Mapping[int, Exemplar]]]) -> None:
        """Keep the latest of each bucket."""
        with self._lock:
            for name, by_labels in exemplars.items():
                for labels, by_bucket in by_labels.items():
                    mine = self.exemplars.setdefault(name, {}).setdefault(labels, {})
                    for bucket, exemplar in by_bucket.items():
                        mine[bucket] = max(exemplar, mine.get(bucket, exemplar), key=lambda each: each.at)

    def copy(self) -> Counts:
        """Return the numbers of this moment."""
        found = Counts()
        with self._lock:
            found.values = {
                name: {labels: list(numbers) for labels, numbers in by_labels.items()}
                for name, by_labels in self.values.items()
            }
            found.exemplars = {
                name: {labels: dict(by_bucket) for labels, by_bucket in by_labels.items()}
                for name, by_labels in self.exemplars.items()
            }
        return found

    def _numbers(self, metric: Metric, labels: Labels) -> list[float]:
        mine = self.values.setdefault(metric.name, {})
        known = mine.get(labels)
        if known is None:
            if len(mine) >= MOST_SETS:
                labels = (OTHER,) * len(labels)
            size = len(metric.buckets) + 2 if metric.kind == "histogram" else 1
            known = mine.setdefault(labels, [0.0] * size)
        return known


def known_metrics(names: Iterable[str]) -> list[Metric]:
    """Return the rows of the catalogue among some names."""
    return [CATALOGUE[name] for name in names if name in CATALOGUE]


#: Returns the counts of this process, whoever counts.
process_counts = once_a_process(Counts)
