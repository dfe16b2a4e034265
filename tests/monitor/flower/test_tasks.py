"""Flower's API of tasks: lists, filters, orders, single tasks, results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.monitor.data import put, task
from tests.monitor.flower.client import KEYS, NOW, WORKER, Script, ago, rows, serve

from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.services import Services


def test_tasks_are_an_object_by_id_the_newest_first(script: Script):
    found = script.read("/api/tasks")

    assert set(found) == {row["task_id"] for row in rows()}
    assert all(each["uuid"] == task_id for task_id, each in found.items())
    order = [(each["timestamp"], each["uuid"]) for each in found.values()]
    assert order == sorted(order, reverse=True)


def test_states_are_celery_s(script: Script):
    states = {task_id: each["state"] for task_id, each in script.read("/api/tasks").items()}

    assert states == {
        "t-done": "SUCCESS", "t-child": "SUCCESS", "t-sent": "PENDING", "t-taken": "RECEIVED", "t-runs": "STARTED",
        "t-retry": "RETRY", "t-dead": "FAILURE", "t-revoked": "REVOKED", "t-ai": "SUCCESS",
    }  # fmt: skip
    for state in set(states.values()):
        wanted = {task_id for task_id, its in states.items() if its == state}
        assert set(script.read("/api/tasks", state=state)) == wanted
        if state not in ("PENDING", "RECEIVED"):
            assert set(script.read("/api/tasks", search=f"state:{state}")) == wanted


def test_a_task_has_flower_s_31_keys(script: Script):
    assert len(KEYS) == 31
    info = script.read("/api/task/info/t-done")

    assert list(info) == KEYS
    expected = {
        "uuid": "t-done", "name": "upload_image", "state": "SUCCESS", "received": ago(60).timestamp(),
        "started": ago(50).timestamp(), "succeeded": ago(40).timestamp(), "failed": None, "retries": 0,
        "args": "('u1', 12345)", "kwargs": "{'client_id': 1234}", "result": "{'n': 7}", "worker": WORKER,
        "runtime": 10.0, "timestamp": ago(40).timestamp(), "routing_key": "user_input", "eta": None,
        "root": "t-done", "root_id": "t-done", "parent": None, "parent_id": None, "children": ["t-child"],
    }  # fmt: skip
    assert {name: info[name] for name in expected} == expected
    child = script.read("/api/task/info/t-child")
    assert (child["root_id"], child["parent_id"], child["children"]) == ("t-done", "t-done", [])


def test_a_task_that_nobody_has_received_has_no_worker_in_lists(script: Script):
    assert "worker" not in script.read("/api/tasks")["t-sent"]
    assert script.read("/api/task/info/t-sent")["worker"] is None
    assert script.read("/api/tasks")["t-sent"]["received"] is None


def test_failures_have_their_error_and_traceback(script: Script):
    dead, retry = (script.read("/api/tasks")[name] for name in ("t-dead", "t-retry"))

    assert dead["exception"] == "KeyError"
    assert "line 41, in retrieve_rule" in dead["traceback"]
    assert (retry["exception"], retry["retries"], retry["retried"]) == ("RateLimited", 2, ago(40).timestamp())
    assert datetime.fromisoformat(script.read("/api/task/info/t-taken")["eta"]) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"taskname": "retrieve_rule"}, {"t-dead"}),
        ({"workername": "ai@ai-1"}, {"t-ai"}),
        ({"workername": "x"}, set()),
        ({"workername": "All", "state": "All", "taskname": "All", "search": "analyze_image"}, {"t-ai"}),
        ({"search": "kwargs:client_id=1234"}, {"t-done"}),
        ({"search": "args:12345"}, {"t-done"}),
        ({"search": "(state:FAILURE OR state:RETRY)"}, {"t-dead", "t-retry"}),
        ({"search": "name:retrieve_rule"}, {"t-dead"}),
        ({"search": "name:retrieve_rule OR worker:ai@ai-1"}, {"t-dead", "t-ai"}),
        ({"search": "args:12345 OR (state:RETRY name:upload_image) OR ()"}, {"t-done", "t-retry"}),
        ({"search": "(name:retrieve_rule OR name:upload_image) state:FAILURE"}, {"t-dead"}),
        ({"search": "worker:ai@ai-1"}, {"t-ai"}),
        ({"search": "result:7"}, {"t-done"}),
        ({"state": "NONSENSE"}, set()),
        ({"limit": 0}, set()),
    ],
)  # fmt: skip
def test_filters_and_searches(script: Script, asked: dict[str, Any], found: set[str]):
    assert set(script.read("/api/tasks", **asked)) == found


def test_limit_and_offset_are_pages(script: Script):
    everything = [task_id for begin in range(0, 12, 4) for task_id in script.read("/api/tasks", limit=4, offset=begin)]

    assert sorted(everything) == sorted(row["task_id"] for row in rows())


@pytest.mark.parametrize("sort", ["name", "-name", "state", "-state", "received", "-received", "started", "-started"])
def test_orders_have_what_is_missing_last(script: Script, sort: str):
    found = list(script.read("/api/tasks", sort_by=sort).values())

    assert len(found) == len(rows())
    if "started" in sort:
        times = [each["started"] for each in found]
        known = [each for each in times if each is not None]
        assert times == sorted(known, reverse=sort.startswith("-")) + [None] * (len(times) - len(known))


def test_an_order_of_a_search_in_messages(script: Script):
    found = list(script.read("/api/tasks", sort_by="-started", search="args:u1"))

    assert len(found) == len(rows())
    assert set(found[-4:]) == {"t-sent", "t-taken", "t-revoked", "t-ai"}


@pytest.mark.parametrize(
    "asked", [{"sort_by": "uuid"}, {"limit": "x"}, {"offset": "x"}, {"received_start": "yesterday"}, {"search": "("}]
)
def test_what_cannot_be_read_is_refused(script: Script, asked: dict[str, str]):
    answer = script.get("/api/tasks", params=asked)

    assert answer.status_code == 400
    assert "search" not in asked or set(answer.json()) == {"error", "place"}


def test_an_hour_that_comes_twice_leaves_nothing_out(script: Script, services: Services):
    # 01:30 in New York, first in summer time (05:30 UTC), then in winter time (06:30 UTC).
    hours = {"dst-1": datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "dst-2": datetime(2026, 11, 1, 6, 30, tzinfo=UTC)}
    put(services.database, TaskRow, [task(name, at) for name, at in hours.items()])
    try:
        found = script.read("/api/tasks", received_start="2026-11-01 01:30", received_end="2026-11-01 01:30")
        assert set(found) == set(hours)
        assert set(script.read("/api/tasks", received_start="2026-11-01 00:00", received_end="2026-11-01 01:00")) == {
            "dst-1"
        }
    finally:
        ids = list(hours)
        services.database.run(
            lambda connection: TaskRow.delete().where(TaskRow.task_id.in_(ids)).execute(connection)
        )  # fmt: skip


def test_an_unknown_task_is_an_empty_404(script: Script):
    answer = script.get("/api/task/info/nobody")

    assert (answer.status_code, answer.content) == (404, b"")


def test_types_are_sorted(script: Script):
    assert script.read("/api/task/types") == {"task-types": ["analyze_image", "retrieve_rule", "upload_image"]}


@pytest.mark.parametrize(
    ("task_id", "said"),
    [
        ("t-done", {"task-id": "t-done", "state": "SUCCESS", "result": {"n": 7}}),
        ("t-runs", {"task-id": "t-runs", "state": "STARTED"}),
        ("nobody", {"task-id": "nobody", "state": "PENDING"}),
    ],
)
def test_results(script: Script, task_id: str, said: dict[str, Any]):
    assert script.read(f"/api/task/result/{task_id}", timeout="0.2") == said


def test_the_result_of_a_failure_is_its_error(script: Script):
    found = script.read("/api/task/result/t-dead")

    assert (found["state"], found["result"]) == ("FAILURE", "KeyError")
    assert "Traceback" in found["traceback"] or "line 41" in found["traceback"]


def test_the_table_of_flower_s_page(services: Services):
    for port in serve(services, MonitorConfig(insecure=True)):
        script = Script(port, None)
        asked = {
            "draw": 3, "start": 1, "length": 2, "search[value]": "args:u1", "order[0][column]": 1,
            "order[0][dir]": "asc", "columns[0][data]": "uuid", "columns[1][data]": "name",
        }  # fmt: skip
        found = script.read("/tasks/datatable", **asked)
        assert set(found) == {"draw", "data", "recordsTotal", "recordsFiltered"}
        assert (found["draw"], found["recordsTotal"], found["recordsFiltered"]) == (3, len(rows()), len(rows()))
        assert [list(each) for each in found["data"]] == [KEYS, KEYS]
        assert script.read("/tasks/datatable", **{"search[value]": "("})["searchError"]
        assert len(script.read("/tasks/datatable", length=-1)["data"]) == len(rows())
