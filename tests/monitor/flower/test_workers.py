"""Flower's API of workers and queues, and what workers cannot be told."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.monitor.flower.client import ITEM_KEYS, WORKER, WORKER_KEYS, Script


def test_workers(script: Script):
    found = script.read("/api/workers", refresh=1)

    assert set(found) == {WORKER}
    its = found[WORKER]
    assert set(its) == WORKER_KEYS
    assert [set(each) for each in its["active"]] == [ITEM_KEYS]
    assert (its["active"][0]["id"], its["active"][0]["args"][0]) == ("t-runs", "u1")
    assert [each["id"] for each in its["reserved"]] == ["t-taken"]
    assert [each["request"]["id"] for each in its["scheduled"]] == ["t-taken"]
    assert its["registered"] == ["upload_image"]
    assert {"max-concurrency", "processes"} <= set(its["stats"]["pool"])
    assert "user_input" in [queue["name"] for queue in its["active_queues"]]
    assert script.read("/api/tasks")["t-runs"]["worker"] in found


def test_the_status_of_workers(script: Script):
    assert script.read("/api/workers", status=1) == {WORKER: True, "storage@storage-9": False}
    assert script.read("/api/workers", status="true", workername=WORKER) == {WORKER: True}
    answer = script.get("/api/workers", params={"workername": "x"})
    assert (answer.status_code, answer.text) == (404, "Unknown worker 'x'")


def test_the_rows_of_flower_s_own_page(script: Script):
    found = {row["hostname"]: row for row in script.read("/workers", json=1)["data"]}

    assert set(found) == {WORKER, "storage@storage-9"}
    assert (found[WORKER]["status"], found["storage@storage-9"]["status"]) == (True, False)
    assert set(found[WORKER]) >= {
        "pid", "freq", "heartbeats", "clock", "active", "processed", "loadavg", "status", "task-received",
        "task-started", "task-succeeded", "task-failed", "task-retried", "worker-online",
    }  # fmt: skip
    counts = {name: number for name, number in found[WORKER].items() if name.startswith("task-")}
    assert counts == {
        "task-received": 12, "task-started": 12, "task-succeeded": 8, "task-retried": 2, "task-failed": 1,
        "task-rejected": 1, "task-revoked": 0,
    }  # fmt: skip
    assert (found[WORKER]["processed"], found["storage@storage-9"]["processed"]) == (12, None)
    page = script.get("/workers", allow_redirects=False)  # the page is for browsers, which sign in
    assert page.status_code == 303


def test_counters(script: Script):
    families = {family.name: family for family in text_string_to_metric_families(script.get("/metrics").text)}
    events = {
        sample.labels["type"]: sample.value
        for sample in families["flower_events"].samples
        if (sample.name, sample.labels["worker"]) == ("flower_events_total", WORKER)
    }
    took = {
        sample.labels.get("le", sample.name): sample.value for sample in families["flower_task_runtime_seconds"].samples
    }

    assert events == {
        "task-received": 12, "task-started": 12, "task-succeeded": 8, "task-retried": 2, "task-failed": 1,
        "task-rejected": 1,
    }  # fmt: skip
    assert {sample.labels["task"] for sample in families["flower_events"].samples} == {"upload_image"}
    assert (took["0.1"], took["0.25"], took["+Inf"]) == (0, 5, 5)
    assert took["flower_task_runtime_seconds_sum"] == pytest.approx(1.0)
    assert script.read("/api/workers")[WORKER]["stats"]["total"] == {"upload_image": 12}
    assert all("storage-9" not in str(sample) for family in families.values() for sample in family.samples)


def test_queues(script: Script):
    found = script.read("/api/queues/length")["active_queues"]

    assert {"name", "messages", "messages_ready", "messages_unacknowledged", "consumers"} <= set(found[0])
    assert "vision_analysis" not in [queue["name"] for queue in found]  # nobody consumes it


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("worker/shutdown", {}),
        ("worker/pool/restart", {}),
        ("worker/pool/grow", {"n": 2}),
        ("worker/pool/shrink", {"n": 2}),
        ("worker/pool/autoscale", {"min": 1, "max": 3}),
        ("worker/queue/add-consumer", {"queue": "q"}),
        ("worker/queue/cancel-consumer", {"queue": "q"}),
    ],
)
def test_what_workers_cannot_be_told_is_refused_with_a_sentence(script: Script, path: str, data: dict[str, Any]):
    known, unknown = script.post(f"/api/{path}/{WORKER}", data=data), script.post(f"/api/{path}/x", data=data)

    assert known.status_code == 403
    assert known.text.startswith("Failed to ")
    assert (unknown.status_code, unknown.text) == (404, "Unknown worker 'x'")


@pytest.mark.parametrize("path", ["rate-limit", "timeout"])
def test_limits_of_tasks_are_refused_with_a_sentence(script: Script, path: str):
    assert script.post(f"/api/task/{path}/upload_image", data={"workername": WORKER}).status_code == 403
    answer = script.post(f"/api/task/{path}/nothing", data={"workername": WORKER})
    assert (answer.status_code, answer.text) == (404, "Unknown task 'nothing'")
