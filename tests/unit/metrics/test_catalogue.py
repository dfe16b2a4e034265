"""The table of metrics keeps to Prometheus's rules, and to what the project promises of names and labels."""

import re

import pytest

from growbin_jobs.metrics.catalogue import CATALOGUE, Metric, of_source

ROWS = list(CATALOGUE.values())
PROMISED = {
    "growbin_tasks_total", "growbin_task_duration_seconds", "wal_pending_tasks", "wal_sync_delay_seconds",
    "gpt_api_calls_total", "gpt_cache_hits_total",
}  # fmt: skip
NO_LABELS = {"id", "message_id", "task_id", "user", "user_id", "analysis_id", "pid", "trace_id", "path", "le"}


@pytest.mark.parametrize("metric", ROWS, ids=lambda metric: metric.name)
def test_a_row_keeps_the_rules(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in metric.labels)
    assert not NO_LABELS & set(metric.labels)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.help.endswith((".", "max."))
    assert set(metric.values or {}) <= set(metric.labels)
    if metric.unit in ("seconds", "bytes", "dollars", "milliseconds"):
        assert metric.unit in metric.name


def test_what_was_promised_is_there() -> None:
    assert set(CATALOGUE) >= PROMISED
    assert {0.1, 0.5, 1, 5, 10, 30, 60, 120, 300} <= set(CATALOGUE["growbin_task_duration_seconds"].buckets)


def test_every_row_has_one_source_and_only_the_cluster_s_have_no_worker() -> None:
    assert len(of_source("process")) + len(of_source("node")) + len(of_source("cluster")) == len(ROWS)
    assert {metric.source for metric in ROWS if "worker" not in metric.shown_labels} == {"cluster"}
