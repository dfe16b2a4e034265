"""Flower's API over hostile tasks, on both databases, and at the end of the monitor."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import uvicorn
from pydantic import SecretStr
from tests.monitor.data import ODD_NAMES, ODD_PAYLOADS, put, task
from tests.monitor.flower.client import CONFIG, NOW, WORKER, WORKER_KEYS, Script, filled, serve

from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.services import Services
from growbin_jobs.settings import Settings


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
