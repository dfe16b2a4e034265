"""Batches of paid calls on pages and in ``/api/v2``: what they wait for, their money, and ending one early."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.monitor.data import fill_batches, put, task
from tests.unit.monitor.client import Client
from tests.upgraded import upgrade

from growbin_jobs.engine.central.search.cursors import Place
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.services import Services

Start = Callable[..., Client]


@pytest.fixture
def filled(services: Services) -> Services:
    upgrade(services.database, SCHEMA)
    fill_batches(services.database)
    return services


@pytest.fixture
def client(filled: Services, open_monitor: Start) -> Client:
    return open_monitor(insecure=True)


def read(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v2/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_each_batch_says_what_it_waits_for_and_what_its_money_became(client: Client):
    page = read(client, "batches")

    odd, sent, done = page["batches"]
    assert (odd["waiting"]["reason"], sent["waiting"]["reason"], done["waiting"]) == (
        "batch_problem",
        "batch_sent",
        None,
    )
    assert sent["money"] == {"reserved": 4200, "settled": 0, "unknown": 0, "open": 4200}
    assert done["money"] == {"reserved": 3000, "settled": 1000, "unknown": 500, "open": 0}
    assert (sent["open"], done["open"], done["outcome"], sent["done_by"] is not None) == (60, 0, "completed", True)
    [waiting] = page["waiting"]
    assert (waiting["model"], waiting["number"], waiting["why"]) == ("gpt-6", 1, "gathering")
    assert [each["id"] for each in read(client, "batches?which=done")["batches"]] == ["b-done"]
    assert len(read(client, "batches?which=under_way")["batches"]) == 2


def test_pages_of_batches_and_questions_hold_each_once(client: Client):
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = read(client, f"batches?limit=1&cursor={cursor}")
        seen += [each["id"] for each in page["batches"]]
        cursor = page["next"]
    assert len(seen) == len(set(seen)) == 3

    asked: list[str] = []
    cursor = ""
    while cursor is not None:
        page = read(client, f"batches/batch_2?limit=25&cursor={cursor}")
        asked += [each["id"] for each in page["questions"]]
        cursor = page["next"]
    assert asked == [f"request-{number:03}" for number in range(60)]


def test_a_question_names_the_messages_that_want_its_answer_and_no_user(client: Client):
    [question] = read(client, "batches/b-done")["questions"]

    assert (len(question["messages"]), question["more_messages"]) == (5, 3)
    assert question["messages"][0]["why"] == "refused"
    for path in ("/batches", "/batches/b-done", "/batches/b-sent", "/api/v2/batches/b-sent"):
        assert "secret-user" not in client.get(path).text


def test_a_task_says_in_which_batch_its_question_is(filled: Services, client: Client):
    put(filled.database, TaskRow, [task(name, datetime.now(UTC)) for name in ("waits-003", "next", "back-1", "other")])

    told = [read(client, f"tasks/{name}")["in_batch"] for name in ("waits-003", "next", "back-1", "other")]
    assert [each and (each["batch"], each["state"], each["why"]) for each in told] == [
        ("batch_2", "in_progress", None), (None, "waiting", None), ("batch_1", "completed", "refused"), None,
    ]  # fmt: skip
    page = client.get("/tasks/waits-003")
    assert "/batches/batch_2" in page.text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages_lead_to_each_other(client: Client, language: str):
    pages = {
        path: client.get(path, headers={"accept-language": language}).text
        for path in ("/money", "/batches", "/batches/b-sent", "/batches/b-done", "/money?by=tier")
    }

    assert "/batches" in pages["/money"]
    assert "/batches/b-sent" in pages["/batches"]
    assert "/tasks/waits-000" in pages["/batches/b-sent"]
    assert "/analyses/an000000" in pages["/batches/b-sent"]
    assert client.get("/batches/none").status_code == 404


def test_an_operator_ends_a_batch_early_once_it_is_written_down(filled: Services, signed_in: Start):
    viewer = signed_in("vera")
    assert viewer.get("/batches/b-sent").status_code == 200
    assert viewer.post("/api/v2/batches/b-sent/cancel").status_code == 403
    assert "/act/batches/cancel" not in viewer.get("/batches/b-sent").text

    operator = signed_in("otto")
    assert "/act/batches/cancel" in operator.get("/batches/b-sent").text
    answer = operator.post("/api/v2/batches/batch_2/cancel", json={"reason": "too many"})
    assert (answer.status_code, answer.json()) == (200, {"id": "b-sent"})
    again = operator.post("/api/v2/batches/b-done/cancel")
    assert (again.status_code, operator.post("/api/v2/batches/none/cancel").status_code) == (409, 404)
    sent = read(operator, "batches/b-sent")["batch"]
    assert (sent["cancelled_by"], sent["waiting"]["reason"]) == ("otto", "batch_ending")
    written = filled.audit.find(action="batch.cancelled")
    assert [(each.target, each.reason) for each in written][-1] == ("b-sent", "too many")


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "W10", Place("2026-11-28T00:00:00+00:00", "b", "-made").encoded(),
        Place("2026-11-28T00:00:00+00:00", "b", "-made", "no number").encoded(),
        Place("2026-11-28T00:00:00+00:00", "b", "-made", float("inf")).encoded(),
        Place("2026-11-28T00:00:00+00:00", "b", "-made", 10**400).encoded(),
        Place("2026-11-28T00:00:00+00:00", "b", "-made", True).encoded(),
    ],
)  # fmt: skip
def test_a_cursor_that_was_tampered_with_is_refused(client: Client, cursor: str):
    assert client.get("/api/v2/batches", params={"cursor": cursor}).status_code == 400
    assert client.get("/batches", params={"cursor": cursor}).status_code == 200
    assert client.get("/api/v2/batches/b-sent", params={"cursor": cursor}).status_code == 400
