"""The catalogue: every metric once, with its type, labels, unit, help and buckets.

The code that counts and shows, ``docs/metrics.md``, alerts and dashboards all go by this table; a name never changes.

Where each is shown (``source``):

* ``process``: counted in every process of a node, added up by the node's keeper. The counts of processes that have
  died stay: no counter falls.
* ``node``: read by the node's keeper when it is asked.
* ``cluster``: about what all nodes share. One scheduler of the cluster shows it, so that sums do not multiply.

All of a node's metrics have the label ``worker``: the node's name. No label holds an id of a message, a user or an
analysis.

Where it is served: the keeper of each node at ``GROWBIN_METRICS_PORT`` (9090), a scheduler at
``GROWBIN_SCHEDULER_METRICS_PORT`` (9091), both on ``GROWBIN_METRICS_HOST`` (127.0.0.1; an image sets ``::``); beside
``/metrics`` there are ``/startupz``, ``/livez`` and ``/readyz``.
"""

from __future__ import annotations

from growbin_jobs.metrics import counted, shown
from growbin_jobs.metrics.metric import CATALOGUE, Metric, Source

__all__ = ["CATALOGUE", "Metric", "counted", "of_source", "shown"]


def of_source(source: Source) -> list[Metric]:
    """Return the rows of one source, in the order of the table."""
    return [metric for metric in CATALOGUE.values() if metric.source == source]
