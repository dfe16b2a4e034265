"""Flower's API that sends, revokes and aborts."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from tests.monitor.data import put, task
from tests.monitor.flower.client import NOW, WORKER, Script

from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.control.table import Control
from growbin_jobs.monitor.services import Services


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
