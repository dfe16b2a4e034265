"""Flower's API, asked by a client that knows only Flower: routes, parameters, shapes and statuses."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from argon2 import PasswordHasher
from pydantic import SecretStr
from tests.monitor.data import ODD_NAMES, ODD_PAYLOADS, letter, put, task, worker

from growbin_jobs.engine.central.dead_letters import DeadLetterRow
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.central.worker_actors import WorkerActors
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.control.table import Control
from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.people import Grant, Role, User
from growbin_jobs.monitor.services import Services
from growbin_jobs.settings import Settings

NOW = datetime.now(UTC).replace(microsecond=0)
WORKER = "storage@storage-1"
KEYS = [
    "uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked",
    "args", "kwargs", "result", "eta", "expires", "retries", "worker", "exception", "timestamp", "runtime", "traceback",
    "exchange", "routing_key", "clock", "client", "root", "root_id", "parent", "parent_id", "children",
]  # fmt: skip
WORKER_KEYS = {
    "active", "active_queues", "conf", "registered", "reserved", "revoked", "scheduled", "stats", "timestamp",
}  # fmt: skip
ITEM_KEYS = {
    "id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info", "worker_pid",
}  # fmt: skip

PASSWORD = "correct horse battery"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def user(name: str, role: Role, *, personal: bool = False) -> User:
    return User(name=name, grant=Grant(role, personal), password_hash=HASH)


CONFIG = MonitorConfig(
    users=(user("ada", Role.ADMIN, personal=True), user("otto", Role.OPERATOR), user("vera", Role.VIEWER)),
    language="en",
)


class Script(requests.Session):
    """A script that was written for Flower."""

    def __init__(self, port: int, name: str | None = "ada") -> None:
        super().__init__()
        self.base = f"http://127.0.0.1:{port}"
        self.auth = (name, PASSWORD) if name else None

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, self.base + url, *args, timeout=30, **kwargs)

    def read(self, path: str, **parameters: Any) -> Any:
        answer = self.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return strict(answer)


def strict(answer: requests.Response) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no strict JSON")

    return json.loads(answer.content.decode("utf-8", "strict"), parse_constant=refuse)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def rows() -> list[dict[str, Any]]:
    ran = {"started_at": ago(50), "completed_at": ago(40), "worker": "w/1"}
    whole = json.dumps({"args": ["u1", 12345], "kwargs": {"client_id": 1234}})
    return [
        task("t-done", ago(60), payload=whole, result='{"n": 7}', **ran),
        task("t-child", ago(59), parent_id="t-done", root_id="t-done", **ran),
        task("t-sent", ago(10), status="pending"),
        task("t-taken", ago(11), status="pending", worker="w/1", due_at=NOW + timedelta(hours=1)),
        task("t-runs", ago(30), status="running", worker="w/1", started_at=ago(20)),
        task("t-retry", ago(90), status="failed", error="RateLimited", retry_count=2, **ran),
        task("t-dead", ago(100), status="dead", error="KeyError", task_name="retrieve_rule", **ran),
        task("t-revoked", ago(70), error="revoked", completed_at=ago(65), worker="w/1"),
        task("t-ai", ago(80), task_name="analyze_image", queue_name="vision_analysis", node="ai-1", worker="w/9"),
    ]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    yield from filled(
        Settings(data_dir=tmp_path_factory.mktemp("flower"), language="en", timezone="America/New_York")
    )  # fmt: skip


def filled(settings: Settings) -> Iterator[Services]:
    services = make_services(settings)
    upgrade(services.database, SCHEMA)
    found = rows()
    put(services.database, TaskRow, found)
    put(services.database, DeadLetterRow, [letter(row) for row in found if row["status"] == "dead"])
    reserved = [{"id": "t-taken", "actor": "upload_image", "queue": "user_input", "pid": 71}]
    group = worker("storage-1", datetime.now(UTC), reserved=1, reserved_tasks=reserved)
    Workers(services.database).report("storage-1", [group], unsynced=0, owed=0, at=datetime.now(UTC))
    WorkerActors(services.database).report("storage-1", {"storage": ("upload_image",)}, at=NOW)
    gone = worker("storage-9", ago(7200))
    Workers(services.database).report("storage-9", [gone], unsynced=0, owed=0, at=ago(7200))
    Workers(services.database).report("storage-9", [], unsynced=0, owed=0, at=ago(3600))
    yield services
    services.close()


def serve(services: Services, config: MonitorConfig) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(config, services), log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port(services: Services) -> Iterator[int]:
    yield from serve(services, CONFIG)


@pytest.fixture(scope="module")
def script(port: int) -> Script:
    return Script(port)


# --- tasks


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


# --- workers and queues


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


# --- sending


@pytest.mark.parametrize("path", ["async-apply", "send-task"])
def test_a_message_is_sent_by_the_name_of_its_actor(script: Script, services: Services, path: str):
    before = services.broker.depths().get("user_input")
    answer = script.post(f"/api/task/{path}/upload_image", json={"args": ["u", "s3://x/y"], "kwargs": {}})

    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"task-id", "state"}
    assert answer.json()["state"] == "PENDING"
    assert services.broker.depths()["user_input"].ready == (before.ready if before else 0) + 1


def test_options_of_celery(script: Script, services: Services):
    def delayed() -> int:
        depth = services.broker.depths().get("rule_retrieval")
        return (depth.delayed or 0) if depth else 0

    before = delayed()
    later = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    for options in ({"countdown": 600.5}, {"eta": later}, {"countdown": "60", "expires": 3600, "task_id": "mine"}):
        answer = script.post("/api/task/async-apply/retrieve_rule", json={"args": ["a"], **options})
        assert answer.status_code == 200, answer.text

    assert answer.json()["task-id"] == "mine"
    assert delayed() == before + 3


@pytest.mark.parametrize(
    "body",
    [
        "no json", "[1]", '{"args": 5}', '{"kwargs": []}', '{"eta": "tomorrow"}', '{"countdown": "x"}',
        '{"expires": "x"}', '{"countdown": 1e999}', '{"args": [NaN]}', '{"link": "other"}', '{"queue": "nowhere"}',
        '{"args": ' + "[" * 100_000,
    ],
)  # fmt: skip
def test_a_body_that_is_wrong_is_400(script: Script, body: str):
    assert script.post("/api/task/async-apply/upload_image", data=body).status_code == 400


def test_names_that_nobody_knows(script: Script, services: Services):
    for path in ("apply", "async-apply", "send-task"):
        assert script.post(f"/api/task/{path}/nothing", json={}).status_code == 404
    answer = script.post("/api/task/send-task/nothing", json={"queue": "cleanup"})
    assert answer.status_code == 200, answer.text
    assert services.broker.depths()["cleanup"].ready == 1


def test_apply_waits_for_the_end(script: Script, services: Services):
    answers: list[requests.Response] = []

    def ask() -> None:
        answers.append(
            Script(int(script.base.rpartition(":")[2])).post(
                "/api/task/apply/upload_image", json={"args": [1], "task_id": "waited-for"}
            )
        )

    waiting = threading.Thread(target=ask)
    waiting.start()
    deadline = time.monotonic() + 20
    while (
        not any(each.target == "waited-for" for each in services.audit.after(0, limit=1000))
        and time.monotonic() < deadline
    ):
        time.sleep(0.02)
    assert waiting.is_alive()
    put(services.database, TaskRow, [task("waited-for", NOW, result="[3]", completed_at=NOW, worker="w")])
    waiting.join(20)
    assert answers[0].json() == {"result": [3], "task-id": "waited-for", "state": "SUCCESS"}
    services.database.run(
        lambda connection: TaskRow.delete().where(TaskRow.task_id == "waited-for").execute(connection)
    )


# --- revoking


@pytest.mark.parametrize(
    ("path", "data", "action", "word"),
    [
        ("revoke", {}, "revoke", "Revoked"),
        ("revoke", {"terminate": "true", "signal": "SIGKILL"}, "abort", "Revoked"),
        ("abort", {}, "abort", "Aborted"),
    ],
)
def test_revoke_and_abort_tell_all_workers(
    script: Script, services: Services, path: str, data: dict[str, str], action: str, word: str
):
    answer = script.post(f"/api/task/{path}/t-runs", data=data)

    assert (answer.status_code, answer.json()) == (200, {"message": f"{word} 't-runs'"})
    told = {each.name: each for each in Control(services.database).read().all}
    assert (told["t-runs"].action, told["t-runs"].by) == (action, "ada")
    assert "t-runs" in script.read("/api/workers")[WORKER]["revoked"]


def test_revoking_what_has_ended_says_so(script: Script):
    assert script.post("/api/task/revoke/t-done").json() == {
        "message": "Revoked 't-done'", "accepted": False, "state": "SUCCESS",
    }  # fmt: skip


# --- who may


def test_scripts_need_a_name_and_a_password(port: int):
    stranger = Script(port, None)

    for path in ("/api/tasks", "/api/workers", "/api/queues/length", "/api/task/types"):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
    assert stranger.post("/api/task/revoke/t-sent").status_code == 401
    assert (stranger.get("/healthcheck").status_code, stranger.get("/healthcheck").text) == (200, "OK")


def test_a_page_elsewhere_cannot_use_a_browser_s_password(script: Script):
    for site in ("cross-site", "same-site"):
        answer = script.post("/api/task/revoke/t-sent", headers={"sec-fetch-site": site})
        assert answer.status_code == 403
    assert script.post("/api/task/revoke/t-sent", headers={"host": "evil.example"}).status_code == 421
    assert script.post("/api/task/revoke/t-sent").status_code == 200


def test_who_may_not_see_messages_sees_none(port: int):
    otto = Script(port, "otto")
    found = otto.read("/api/tasks")["t-done"]

    assert (found["args"], found["kwargs"], found["result"]) == (None, None, None)
    assert otto.read("/api/task/result/t-done") == {"task-id": "t-done", "state": "SUCCESS"}
    assert otto.read("/api/workers")[WORKER]["active"][0]["args"] is None
    assert otto.get("/api/tasks", params={"search": "kwargs:client_id=1234"}).status_code == 400
    assert "client_id" not in otto.get("/api/tasks").text


def test_a_viewer_changes_nothing(port: int):
    vera = Script(port, "vera")

    assert vera.post("/api/task/revoke/t-sent").status_code == 403
    assert vera.post("/api/task/async-apply/upload_image", json={}).status_code == 403
    assert vera.post(f"/api/worker/shutdown/{WORKER}").status_code == 403


def test_a_read_only_monitor_refuses_every_post(services: Services):
    for port in serve(services, replace(CONFIG, read_only=True)):
        script = Script(port)
        for path in (
            "task/apply/upload_image", "task/async-apply/upload_image", "task/send-task/x", "task/revoke/x",
            "task/abort/x", "task/timeout/x", "task/rate-limit/x", "worker/shutdown/x", "worker/pool/grow/x",
            "worker/queue/add-consumer/x",
        ):  # fmt: skip
            assert script.post(f"/api/{path}").status_code == 403, path
        assert script.get("/api/tasks").status_code == 200


# --- what may be anything


def test_hostile_tasks_are_strict_json(script: Script, services: Services):
    found = [task(f"odd-{number}", NOW, payload=payload) for number, payload in enumerate(ODD_PAYLOADS)]
    found += [
        task(f"named {name}", NOW, task_name=name, queue_name=name, node=name, worker=name, result='{"a": NaN}')
        for name in ODD_NAMES
    ]
    running = [
        {**row, "task_id": f"r-{row['task_id']}", "status": "running", "node": "storage-1", "queue_name": "user_input",
         "started_at": NOW, "worker": "w"}
        for row in found
    ]  # fmt: skip
    put(services.database, TaskRow, [*found, *running])
    try:
        listed = script.read("/api/tasks")
        assert {row["task_id"] for row in found} <= set(listed)
        assert len(script.get("/api/tasks").content) < 200_000
        assert len(script.read("/api/workers")[WORKER]["active"]) == len(running) + 1
        for row in found:
            name = requests.utils.quote(row["task_id"], safe="")
            assert script.read(f"/api/task/info/{name}")["uuid"] == row["task_id"]
            assert script.read(f"/api/task/result/{name}")["state"] == "SUCCESS"
        assert script.get("/api/tasks", params={"search": "args:nothing"}).status_code == 200
        assert script.get("/api/task/info/%00").status_code == 404
    finally:
        ids = [row["task_id"] for row in (*found, *running)]
        services.database.run(
            lambda connection: TaskRow.delete().where(TaskRow.task_id.in_(ids)).execute(connection)
        )  # fmt: skip


def test_metrics_have_flower_s_names(services: Services):
    for port in serve(services, MonitorConfig(insecure=True)):
        text = Script(port, None).get("/metrics").text
        assert f'flower_worker_online{{worker="{WORKER}"}} 1.0' in text
        assert f'flower_worker_prefetched_tasks{{task="upload_image",worker="{WORKER}"}} 1.0' in text


ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/tasks", {}),
    ("/api/tasks", {"sort_by": "-started"}),
    ("/api/tasks", {"search": "kwargs:client_id=1234 state:SUCCESS"}),
    ("/api/tasks", {"state": "REVOKED", "workername": WORKER}),
    ("/api/tasks", {"sort_by": "name", "limit": 3, "offset": 2}),
    ("/api/task/info/t-done", {}),
    ("/api/task/result/t-dead", {}),
    ("/api/task/types", {}),
    ("/api/workers", {"status": 1}),
)


def test_postgresql_answers_as_the_embedded_database(script: Script, postgres_url: str, tmp_path: Path):
    settings = Settings(
        data_dir=tmp_path, language="en", timezone="America/New_York", database_url=SecretStr(postgres_url)
    )
    for services in filled(settings):
        for port in serve(services, CONFIG):
            other = Script(port)
            for path, parameters in ASKED:
                assert list(pairs(other.read(path, **parameters))) == list(pairs(script.read(path, **parameters))), path
            assert other.post("/api/task/revoke/t-sent").json() == {"message": "Revoked 't-sent'"}
            assert other.get("/api/task/info/%00").status_code == 404
            assert set(other.read("/api/workers")[WORKER]) == WORKER_KEYS


def pairs(answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What an answer says, in order: two objects are equal in any."""
    yield from answer.items()


def test_a_request_that_waits_does_not_hold_up_the_end_of_the_monitor(services: Services):
    listener, app, answers = socket.create_server(("127.0.0.1", 0)), make_app(CONFIG, services), []
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    serving = threading.Thread(target=server.run, args=([listener],))
    script = Script(listener.getsockname()[1])
    waiting = threading.Thread(
        target=lambda: answers.append(script.read("/api/task/result/t-runs", timeout=500))
    )  # fmt: skip
    serving.start()
    waiting.start()
    deadline = time.monotonic() + 20
    while not server.server_state.tasks and time.monotonic() < deadline:
        time.sleep(0.01)
    app.state.live.close()  # as the monitor's own server does at a signal
    server.should_exit = True
    serving.join()
    waiting.join()

    assert answers == [{"task-id": "t-runs", "state": "STARTED"}]
