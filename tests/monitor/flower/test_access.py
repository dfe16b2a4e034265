"""Who may ask by Flower's API, and from where."""

from __future__ import annotations

from dataclasses import replace

from tests.monitor.flower.client import CONFIG, WORKER, Script, serve

from growbin_jobs.monitor.services import Services


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
