"""Acts over HTTP: forms and /api/v2, each in the audit; conflicts are sentences, refused forms keep their place."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.monitor.data import put, task
from tests.unit.monitor.client import Client
from tests.upgraded import upgrade

from growbin_jobs.adapters.webhooks.posting import PROBLEMS
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.reruns import Reruns
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.control.table import Control
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.audit_check import verify_chain
from growbin_jobs.monitor.acting.sentences import KOREAN, said_in
from growbin_jobs.monitor.services import Services

START = datetime.now(UTC) - timedelta(minutes=5)


def message(task_id: str) -> dict[str, Any]:
    return {
        "queue_name": "vision_analysis", "actor_name": "analyze_image", "args": ["a1", "s3://b/k"], "kwargs": {},
        "options": {"retries": 3}, "message_id": task_id, "message_timestamp": 1,
    }  # fmt: skip


def put_task(services: Services, task_id: str, status: str, **fields: Any) -> None:
    text = json.dumps(message(task_id))
    names = {"task_name": "analyze_image", "queue_name": "vision_analysis"}
    put(services.database, TaskRow, [task(task_id, START, status=status, payload=text, **names | fields)])


def put_letter(services: Services, task_id: str) -> str:
    row = {
        "id": f"letter-{task_id}", "node": "n", "letter": 1, "task_id": task_id, "task_name": "analyze_image",
        "queue_name": "vision_analysis", "body": json.dumps(message(task_id)).encode(), "code": "retries_exhausted",
        "params": "{}", "error": "e", "traceback": "", "died_at": START, "seq": 1,
    }  # fmt: skip
    put(services.database, DeadLetterRow, [row])
    return str(row["id"])


@pytest.fixture
def filled(services: Services) -> Services:
    upgrade(services.database, SCHEMA)
    for number in range(3):
        put_task(services, f"dead-{number}", "dead")
        put_letter(services, f"dead-{number}")
    put_task(services, "done", "completed")
    put_task(services, "waits", "failed", due_at=START + timedelta(hours=9))
    return services


def audited(services: Services) -> list[tuple[str, str, str]]:
    return [(each.action, each.who, each.target) for each in services.audit.after(0, limit=100)]


def form(client: Client, path: str, **data: Any) -> tuple[int, str, str]:
    """Send a form; return its status, where it leads, and what that page says."""
    answer = client.post(path, data=data)
    where = answer.headers.get("location", "")
    return answer.status_code, where, client.get(where).text if where else answer.text


# --- /api/v2


def test_of_ten_clicks_by_two_people_one_gets_a_run_and_the_others_a_conflict(filled, signed_in):
    clients = [signed_in("otto"), signed_in("ada")]

    def click(number: int) -> Any:
        return clients[number % 2].post("/api/v2/dead-letters/letter-dead-0/retry")

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(click, range(10)))

    assert sorted(each.status_code for each in answers) == [200] + [409] * 9
    refused = next(each for each in answers if each.status_code == 409)
    assert refused.headers["content-type"] == "application/problem+json"
    assert "has let it run again" in refused.json()["detail"]
    assert len(DeadLetters(filled.database).taken(now=datetime.now(UTC))) == 1
    assert {each[0] for each in audited(filled)} >= {"dead_letter.retried"}


def test_a_discard_is_undone(filled, signed_in):
    client = signed_in("otto")

    decided = client.post("/api/v2/dead-letters/letter-dead-0/discard", json={"reason": "spam"}).json()

    assert (decided["action"], decided["undo_until"] > decided["at"]) == ("discard", True)
    assert client.post("/api/v2/dead-letters/letter-dead-0/undo").json()["state"] == "open"
    assert client.post("/api/v2/dead-letters/letter-dead-0/undo").status_code == 409
    assert client.post("/api/v2/dead-letters/never/retry").status_code == 404


def test_a_completed_task_runs_again_and_the_link_is_seen_from_both_sides(filled, signed_in):
    client = signed_in("otto")

    made = client.post("/api/v2/tasks/done/run-again", json={"reason": "doubt", "fresh": True}).json()

    assert (made["rerun_of"], made["by"], made["kind"]) == ("done", "otto", "again")
    assert client.post("/api/v2/tasks/done/run-again").status_code == 409
    assert client.get("/api/v2/task-links/done").json()["later"][0]["task_id"] == made["task_id"]
    assert client.get(f"/api/v2/task-links/{made['task_id']}").json()["origin"]["rerun_of"] == "done"
    assert client.post("/api/v2/tasks/done/retry").status_code == 409


def test_an_edited_task_is_checked_against_the_actor(filled, signed_in):
    client = signed_in("olga")

    wrong = client.post("/api/v2/tasks/dead-1/edit", json={"args": ["a1", 7]})
    assert (wrong.status_code, "s3_path" in wrong.json()["detail"]) == (409, True)
    assert client.post("/api/v2/tasks/dead-1/edit", json={"args": ["a1"], "run_at": "soon"}).status_code == 400
    later = (datetime.now(UTC) + timedelta(hours=9)).isoformat()
    made = client.post("/api/v2/tasks/dead-1/edit", json={"args": ["a1", "s3://b/x"], "run_at": later}).json()
    assert (made["kind"], made["due_at"][:16]) == ("edited", later[:16])
    assert signed_in("otto").post("/api/v2/tasks/dead-1/edit", json={"args": []}).status_code == 403  # personal data


def test_what_waits_is_revoked_and_what_is_over_is_not(filled, signed_in):
    client = signed_in("otto")

    assert client.post("/api/v2/tasks/waits/revoke", json={"reason": "twice"}).json()["accepted"]
    assert client.post("/api/v2/tasks/waits/unrevoke").json()["accepted"]
    assert client.post("/api/v2/tasks/done/abort").status_code == 409


def test_a_message_that_cannot_be_revoked_is_refused_with_a_sentence(filled, signed_in, monkeypatch):
    client = signed_in("otto")
    for verb in ("revoke", "abort"):
        assert client.post(f"/api/v2/tasks/{'가' * 600}/{verb}").status_code == 400
        assert client.post(f"/act/tasks/{verb}", data={"task": "x" * 600}).status_code < 500
    monkeypatch.setattr("growbin_jobs.engine.control.table.MOST_MESSAGES", 0)

    refused = client.post("/api/v2/tasks/waits/revoke", headers={"accept-language": "ko"})
    assert refused.status_code == 409
    assert "철회" in refused.json()["detail"]


def test_a_queue_is_paused_and_goes_on(filled, signed_in):
    client = signed_in("otto")

    assert client.post("/api/v2/queues/vision_analysis/pause", json={"reason": "odd answers"}).json()["changed"]
    assert [each.name for each in Control(filled.database).read().all] == ["vision_analysis"]
    assert "odd answers" in client.get("/queues").text
    assert client.post("/api/v2/queues/vision_analysis/resume").json()["changed"]
    assert client.post("/api/v2/queues/never/pause", json={"reason": "x"}).status_code == 404
    assert client.post("/api/v2/queues/vision_analysis/pause", json={}).status_code == 422


def test_limits_jobs_and_breakers(filled, signed_in):
    client = signed_in("ada")

    assert client.post("/api/v2/limits/vision/set", json={"rate": "60/min"}).json()["rate"]
    assert client.post("/api/v2/limits/vision/set", json={"rate": "fast"}).status_code == 400
    assert client.post("/api/v2/breakers/never/reset").status_code == 404
    assert client.post("/api/v2/schedule/never/run").status_code == 404
    assert signed_in("otto").post("/api/v2/limits/vision/set", json={"rate": "60/min"}).status_code == 403


def test_a_plain_act_keeps_its_reason_and_refuses_what_it_would_ignore(filled, signed_in):
    client = signed_in("otto")
    plain = ("queues/vision_analysis/resume", "schedule/reports.weekly/run", "tasks/waits/unrevoke", "breakers/x/reset")

    for path in plain:
        for body in (b'{"due": "2026-11-30T02:00Z"}', b"{", b"[]", b"due=now"):
            assert client.post(f"/api/v2/{path}", content=body).status_code == 422, (path, body)
    assert client.post("/api/v2/queues/vision_analysis/resume", json={"reason": "mended"}).status_code == 200

    begun, resumed = filled.audit.after(0, limit=100)
    assert (begun.action, resumed.action, resumed.reason) == ("session.begun", "queue.resumed", "mended")


def test_a_bulk_job_from_its_draft_to_its_undoing(filled, signed_in):
    client = signed_in("otto")

    draft = client.post("/api/v2/bulk", json={"verb": "retry", "actor": "analyze_image"})
    assert (draft.status_code, draft.json()["state"], draft.json()["preview"]["able"]) == (201, "draft", 3)
    path = f"/api/v2/bulk/{draft.json()['id']}"
    assert client.post(f"{path}/start", json={"name": "again", "pace": 60}).json()["state"] == "waiting"
    assert client.post(f"{path}/start").status_code == 409
    assert client.post(f"{path}/stop").status_code == 409
    assert client.post(f"{path}/undo").json()["state"] == "undone"
    assert [each["name"] for each in client.get("/api/v2/bulk").json()] == ["again"]
    assert client.post("/api/v2/bulk", json={"verb": "retry", "actor": "never"}).status_code == 409
    again = client.post("/api/v2/bulk", json={"verb": "run_again", "q": "state:completed"}).json()
    assert (again["verb"], again["total"]) == ("run_again", 1)
    assert client.post("/api/v2/bulk", json={"verb": "run_again", "q": "("}).status_code == 400


# --- forms


def test_a_form_leads_back_to_its_place_and_says_what_happened_once(filled, signed_in):
    client = signed_in("otto")
    back = "/dead-letters?actor=analyze_image"

    status, where, page = form(client, "/act/letters/retry", letter="letter-dead-0", back=back)
    assert (status, where) == (303, back)
    assert "It runs once more, under the same id." in page
    assert "It runs once more" not in client.get(where).text
    _, where, page = form(client, "/act/letters/retry", letter="letter-dead-0", back=back)
    assert where == back
    assert "otto has let it run again" in page
    assert form(client, "/act/letters/retry", letter="x", back="https://evil.example")[1] == "/"


def test_the_page_after_a_discard_has_the_way_back(filled, signed_in):
    client = signed_in("otto")

    _, _, page = form(client, "/act/letters/discard", letter="letter-dead-1", back="/dead-letters")

    assert 'action="/act/letters/undo"' in page
    assert "It is open again." in form(client, "/act/letters/undo", letter="letter-dead-1")[2]


def test_pages_offer_what_the_reader_may_do(filled, signed_in):
    otto, vera = signed_in("otto"), signed_in("vera")

    for path, act in (
        ("/dead-letters", "/act/letters/retry"), ("/dead-letters", "/act/bulk/preview"),
        ("/dead-letters/letter-dead-2", "/act/letters/discard"), ("/tasks/dead-2", "/act/tasks/retry"),
        ("/tasks/done", "/act/tasks/run-again"), ("/tasks/waits", "/act/tasks/revoke"), ("/queues", "/act/pause"),
        ("/tasks?state=completed", "/act/bulk/preview"), ("/schedule", "/act/jobs/run"),
    ):  # fmt: skip
        assert act in otto.get(path).text, path
        assert act not in vera.get(path).text, path
    assert "/edit/" not in otto.get("/tasks/dead-2").text
    assert "/edit/dead-2" in signed_in("olga").get("/tasks/dead-2").text
    assert "/act/" not in signed_in("ada", read_only=True).get("/tasks/dead-2").text


def test_an_edit_that_is_refused_keeps_what_was_typed(filled, signed_in):
    client = signed_in("olga")
    assert "s3://b/k" in client.get("/edit/dead-0").text
    data = {"task": "dead-0", "args": '["a1", 7, "typed"]', "kwargs": "{}"}

    refused = client.post("/act/tasks/edit", data=data)

    assert refused.status_code == 409
    assert "&#34;typed&#34;" in refused.text
    assert "too many positional arguments" in refused.text
    assert "no JSON at line 1" in client.post("/act/tasks/edit", data=data | {"args": "[1,"}).text
    _, where, page = form(client, "/act/tasks/edit", task="dead-0", args='["a1", "s3://b/x"]', kwargs="{}")
    assert where == "/tasks/dead-0"
    assert "Superseded by" in page
    assert len(Reruns(filled.database).waiting()) == 1


def test_a_bulk_job_works_by_forms_alone(filled, signed_in):
    client = signed_in("otto")

    _, where, page = form(client, "/act/bulk/preview", verb="discard", actor="analyze_image")
    job = where.removeprefix("/bulk/")
    assert "Discard 3 dead letters" in page
    assert "It begins in 30 seconds" in form(client, "/act/bulk/start", job=job, name="spring", pace="60")[2]
    assert "It was taken back" in form(client, "/act/bulk/undo", job=job)[2]
    assert "spring" in client.get("/bulk").text
    assert "is undone" in form(client, "/act/bulk/resume", job=job)[2]
    assert "Nothing fits" in form(client, "/act/bulk/preview", verb="retry", actor="never")[2]
    assert form(client, "/act/bulk/stop", job="never")[1] == "/bulk"


def test_every_act_is_in_the_audit_with_who_and_what(filled, signed_in):
    client = signed_in("otto")
    client.post("/act/tasks/run-again", data={"task": "done", "reason": "doubt"})
    client.post("/act/pause", data={"name": "vision_analysis", "reason": "odd"})
    client.post("/act/letters/discard", data={"letter": "letter-dead-0"})

    found = audited(filled)

    for entry in (
        ("task.run_again", "otto", "done"), ("queue.paused", "otto", "vision_analysis"),
        ("dead_letter.discarded", "otto", "letter-dead-0"),
    ):  # fmt: skip
        assert entry in found
    assert verify_chain(filled.audit).wrong is None


@pytest.mark.parametrize("language", ["ko", "en"])
def test_pages_of_acts_read_in_both_languages(language, filled, signed_in):
    client = signed_in("olga")
    client.post("/language", data={"language": language})

    for path in ("/bulk", "/edit/done", "/tasks/done", "/dead-letters", "/queues", "/money", "/schedule", "/errors"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert f'<html lang="{language}"' in answer.text


def test_who_reads_korean_is_refused_in_korean(filled, signed_in):
    client = signed_in("otto")
    client.post("/language", data={"language": "ko"})
    form(client, "/act/letters/retry", letter="letter-dead-0")

    assert "otto이(가)" in form(client, "/act/letters/retry", letter="letter-dead-0")[2]
    assert "이미 재시도했습니다" in client.post("/api/v2/dead-letters/letter-dead-0/retry").json()["detail"]


def test_why_a_webhook_was_not_delivered_is_said_in_korean():
    assert set(PROBLEMS.values()) - KOREAN.keys() == set()


def test_every_korean_sentence_has_the_places_of_the_english_one():
    for english, korean in KOREAN.items():
        places = re.findall(r"\{(\w+)\}", english)
        assert sorted(places) == sorted(re.findall(r"\{(\w+)\}", korean)), english
        values = {name: f"<{number}>" for number, name in enumerate(places)}
        assert said_in("ko", english.format(**values)) == korean.format(**values)
        assert said_in("en", english) == english
