"""The page that Prometheus reads: parsed again, with the same numbers, in both formats."""

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from growbin_jobs.metrics import counted, shown
from growbin_jobs.metrics.counts import Counts
from growbin_jobs.metrics.exposition import Reading, render

OPEN = "application/openmetrics-text; version=1.0.0"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def page(accept: str = "") -> dict[str, dict[tuple[tuple[str, str], ...], object]]:
    counts = Counts()
    counts.inc(counted.TASKS, "q", 'a"\n\\', "completed", by=3)
    counts.inc(counted.TASKS, "q", "b", "dead")
    counts.observe(counted.TASK_SECONDS, "q", "b", value=0.2)
    counts.observe(counted.TASK_SECONDS, "q", "b", value=1e9)
    counts.exemplify(counted.TASK_SECONDS, ("q", "b"), 0.2, TRACE)
    counts.values["of_another_version_total"] = {(): [1.0]}
    readings = [Reading(shown.DISK_FREE, (), 5e9), Reading(shown.QUEUE_MESSAGES, ("q", "ready"), 4)]
    text, kind = render(counts, readings, worker="node-1", accept=accept)
    assert ("openmetrics" in kind) == bool(accept)
    found: dict[str, dict[tuple[tuple[str, str], ...], object]] = {}
    for family in (parse_open if accept else parse)(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample
    return found


def value(found, name: str, **labels: str) -> float:
    return found[name][tuple(sorted(labels.items()))].value


def test_numbers_come_through_in_both_formats() -> None:
    for accept in ("", OPEN):
        found = page(accept)
        name = "growbin_tasks_total"
        assert value(found, name, worker="node-1", queue="q", task_name='a"\n\\', status="completed") == 3
        run = {"worker": "node-1", "queue": "q", "task_name": "b"}
        bucket = "growbin_task_duration_seconds_bucket"
        assert value(found, bucket, le="0.1", **run) == 0
        assert value(found, bucket, le="0.25", **run) == 1
        assert value(found, bucket, le="600.0", **run) == 1
        assert value(found, bucket, le="+Inf", **run) == 2
        assert value(found, "growbin_task_duration_seconds_count", **run) == 2
        assert value(found, "growbin_disk_free_bytes", worker="node-1") == 5e9
        assert value(found, "growbin_queue_messages", queue="q", state="ready") == 4
        assert value(found, "dramatiq_message_rejects_total", worker="node-1", queue_name="q", actor_name="b") == 1
        assert value(found, "dramatiq_messages_total", worker="node-1", queue_name="q", actor_name="b") == 1
        assert not [name for name in found if name.endswith("_created") or name.startswith("of_another")]


def test_exemplars_are_shown_where_they_may_be() -> None:
    run = {"worker": "node-1", "queue": "q", "task_name": "b", "le": "0.25"}
    sample = page(OPEN)["growbin_task_duration_seconds_bucket"][tuple(sorted(run.items()))]

    assert sample.exemplar.labels == {"trace_id": TRACE}
    assert TRACE not in str(page())
