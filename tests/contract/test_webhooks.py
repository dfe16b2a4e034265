"""Alert rules and their webhooks on both databases, with a receiver over HTTP that fails, hangs, and comes back."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests import command_line
from tests.monitor.data import attempt, letter, put, task
from tests.stubs.webhook_receiver import Receiver, receiver
from tests.waiting import until

from growbin_jobs import names
from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.adapters.webhooks.signing import is_genuine
from growbin_jobs.alerts import sending
from growbin_jobs.alerts.deliveries import Deliveries
from growbin_jobs.alerts.findings import Finding, measures
from growbin_jobs.alerts.rules import RULES
from growbin_jobs.alerts.sending import SendWebhooks
from growbin_jobs.alerts.telling import Sender
from growbin_jobs.alerts.watching import Watch
from growbin_jobs.alerts.webhooks import Webhook, Webhooks
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.errors import Conflict
from growbin_jobs.models.audit import Audit

SECRET = "a secret of many bytes"
LOOPBACK = [ip_network("127.0.0.0/8")]


class World:
    """A database with a webhook, the findings that the test chooses, and one process that watches and sends."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.found: dict[str, list[Finding]] = {}
        self.hooks, self.deliveries = Webhooks(database), Deliveries(database)

    def hook(self, url: str, *rules: str, quiet: float = 0.0, name: str = "ops") -> Webhook:
        return self.hooks.add(
            name,
            url,
            secret_ref="env:WEBHOOK_SECRET",
            rules=dict.fromkeys(rules),
            quiet_minutes=quiet,
            by="ada",
        )

    def watch(self, worker: str = "a") -> int:
        measured = {rule: (lambda rule=rule: list(self.found.get(rule, ()))) for rule in RULES}
        watch = Watch(self.database, worker, measured, Sender("test", "https://jobs.example"))
        return watch.run_once().get("messages", 0)

    def send(self, worker: str = "a", *, allowed: Any = LOOPBACK, timeout: float = 30.0) -> dict[str, int]:
        return SendWebhooks(self.database, worker, Prober(allowed=allowed), lambda _: SECRET, timeout).run_once()

    def run(self, sql: str, *values: Any) -> None:
        words = SqlWords(self.database.dialect)
        self.database.run(lambda connection: words.run(connection, sql, *values))


@pytest.fixture
def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(sending, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(sending, "LAST_PAUSE", 0.02)
    return World(database)


def told(its: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in its.got]


def test_a_rule_that_is_broken_is_told_once_signed_and_once_more_when_it_is_over(world, caplog):
    caplog.set_level("DEBUG")
    with receiver() as its:
        world.hook(its.url, "queue_wait")
        world.found["queue_wait"] = [Finding(subject="vision", value=400.0), Finding(subject="ok", value=3.0)]
        for _ in range(3):
            world.watch()
            world.send()
        world.found["queue_wait"] = [Finding(subject="vision", value=1.0)]
        world.watch()
        world.send()

    headers, body = its.got[0]
    assert is_genuine(headers, body, SECRET)
    assert not is_genuine(headers, body + b" ", SECRET)
    assert not is_genuine(headers, body, SECRET, now=datetime.now(UTC).timestamp() + 301)
    assert [([each["subject"] for each in one["began"]], one["ended"]) for one in told(its)] == [
        (["vision"], []), ([], ["vision"]),
    ]  # fmt: skip
    assert "hidden" not in caplog.text, "an address may hold a secret"
    assert told(its)[0]["text"] == "[test] Messages wait too long: vision 400 s"


def test_a_storm_is_one_message_and_what_follows_in_the_quiet_time_one_more(world):
    with receiver() as its:
        hook = world.hook(its.url, "new_error_group", quiet=10)
        later = hook.watched_from + 1
        groups = [Finding(subject=f"g{number}", value=1.0, since=later) for number in range(500)]
        old = Finding(subject="known before", value=1.0, since=hook.watched_from - 1)
        world.found["new_error_group"] = [old, *groups[:300]]
        world.watch()
        world.found["new_error_group"] = [old, *groups]
        for _ in range(3):
            world.watch()
        world.run("UPDATE webhook_deliveries SET created_at = created_at - 601")
        world.watch()
        world.watch()
        world.send()

    assert sorted(len(one["began"]) + one["began_more"] for one in told(its)) == [200, 300]
    assert all(len(body) < 20_000 for _, body in its.got)
    assert "known before" not in str(its.got)


def test_what_grows_is_told_again_when_it_has_doubled(world):
    with receiver() as its:
        world.hook(its.url, "dead_letters")
        for number in (5, 12, 20, 24, 47, 48):
            world.found["dead_letters"] = [Finding(subject="all", value=float(number))]
            world.watch()
        world.send()

    assert sorted(one["began"][0]["value"] for one in told(its)) == [12, 24, 48]


@pytest.mark.parametrize("trouble", [500, 302, "hang", "cut", "away"])
def test_a_receiver_that_comes_back_gets_each_message_under_one_id(world, trouble):
    with receiver() as its:
        port = int(its.url.split(":")[2].partition("/")[0])
        its.answer = trouble
        hook = world.hook(its.url, "queue_wait")
        world.found["queue_wait"] = [Finding(subject="vision", value=400.0)]
        world.watch()
        if trouble != "away":
            until(lambda: world.send(timeout=0.2).get("failed"))
            until(lambda: world.send(timeout=0.2).get("failed"))
            its.answer = 204
            until(lambda: world.send().get("delivered"))
    if trouble == "away":
        until(lambda: world.send().get("failed"))
        with receiver(port) as its:
            until(lambda: world.send().get("delivered"))

    (kept,) = world.deliveries.latest(hook.id)
    assert set(its.ids) == {kept.id}
    assert (kept.state, kept.problem, kept.tries >= 2) == ("delivered", None, True)
    assert world.send() == {}


def test_a_message_is_given_up_after_a_day_and_can_be_sent_again(world):
    with receiver() as its:
        its.answer = 503
        hook = world.hook(its.url, "queue_wait")
        world.found["queue_wait"] = [Finding(subject="vision", value=400.0)]
        world.watch()
        world.run("UPDATE webhook_deliveries SET give_up_at = 0")
        world.send()
        (lost,) = world.deliveries.latest(hook.id)
        its.answer = 200
        assert (lost.state, lost.status, lost.problem, world.send()) == ("failed", 503, "HTTP 503", {})

        world.deliveries.again(lost)
        assert world.send() == {"delivered": 1}
        with pytest.raises(Conflict):
            world.deliveries.again(lost)

    assert its.ids == [lost.id, lost.id]


def test_a_receiver_that_is_gone_is_told_nothing_more_until_a_person_resumes_it(world, caplog):
    with receiver() as its:
        its.answer = 410
        hook = world.hook(its.url, "queue_wait", "budget")
        world.found = {"queue_wait": [Finding(subject="q", value=400.0)], "budget": [Finding(subject="b", value=99.0)]}
        world.watch()
        assert world.send() == {"failed": 1}

        kept = world.deliveries.latest(hook.id)
        assert {(each.state, each.problem) for each in kept} == {
            ("failed", "HTTP 410: the receiver says that it is gone")
        }
        assert sorted(each.tries for each in kept) == [0, 1], "what else waited is not sent"
        assert world.hooks.named("ops").paused_by == "410 Gone"
        assert "webhook.gone name=ops" in caplog.text
        assert "hidden" not in caplog.text, "an address may hold a secret"
        [row] = Audit(world.database).find(action="webhook.paused")
        assert (row.who, row.target) == ("keeper", "ops")
        assert (world.watch(), world.send()) == (0, {})

        its.answer = 200
        world.hooks.pause(hook, by=None)
        assert (world.watch(), world.send()) == (2, {"delivered": 2})


def test_one_receiver_that_is_down_does_not_hold_up_another(world, monkeypatch):
    monkeypatch.setattr(sending, "FIRST_PAUSE", 60.0)
    monkeypatch.setattr(sending, "LAST_PAUSE", 60.0)
    with receiver() as down, receiver() as up:
        down.answer = 500
        world.hook(down.url, "queue_wait", "budget", name="down")
        world.hook(up.url, "queue_wait", "budget", name="up")
        world.found = {"queue_wait": [Finding(subject="q", value=400.0)], "budget": [Finding(subject="b", value=99.0)]}
        world.watch()
        done = world.send()

    assert done == {"delivered": 2, "failed": 1}
    assert len(down.got) == 1, "what else waits for it is put off too"


def test_private_addresses_get_nothing_unless_they_are_allowed(world):
    with receiver() as its:
        hook = world.hook(its.url, "queue_wait")
        world.found["queue_wait"] = [Finding(subject="vision", value=400.0)]
        world.watch()
        assert set(world.send(allowed=[])) == {"failed"}

    (kept,) = world.deliveries.latest(hook.id)
    assert its.got == []
    assert "not public" in (kept.problem or "")


def test_many_watchers_and_senders_tell_once(world):
    with receiver() as its:
        world.hook(its.url, "queue_wait")
        world.found["queue_wait"] = [Finding(subject=f"q{number}", value=400.0) for number in range(30)]

        def work(worker: str) -> None:
            for _ in range(3):
                world.watch(worker)
                world.send(worker)

        threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        world.send()

    assert len(its.got) == 1


def test_a_sender_that_is_killed_in_the_middle_leaves_its_message_to_the_next(place):
    url, path, database = place
    world = World(database)
    with receiver() as its:
        its.answer = "hang"
        hook = world.hook(its.url, "queue_wait")
        world.found["queue_wait"] = [Finding(subject="vision", value=400.0)]
        world.watch()
        worker = Path(__file__).with_name("webhook_worker.py")
        with command_line.start_python([sys.executable, str(worker), url, str(path), "killed"]) as process:
            until(lambda: its.got, "the request that hangs")
            process.kill()
        its.answer = 200
        until(lambda: world.send("other").get("delivered"), "the lease to lapse")

    assert set(its.ids) == {world.deliveries.latest(hook.id)[0].id}


def test_a_paused_webhook_is_told_nothing_and_nothing_of_the_pause_later(world):
    with receiver() as its:
        hook = world.hook(its.url, "new_error_group")
        world.hooks.pause(hook, by="ada")
        world.found["new_error_group"] = [Finding(subject="g", value=1.0, since=hook.watched_from + 0.001)]
        world.watch()
        until(lambda: world.hooks.pause(hook, by=None) or world.hooks.named("ops").watched_from > hook.watched_from + 1)
        world.watch()
        world.send()
        world.hooks.remove(hook)

    assert its.got == []
    assert world.hooks.all() == []


def test_what_is_measured_names_no_person_and_quotes_no_error(database):
    now = datetime.now(UTC)
    dead = task("t1", now - timedelta(minutes=5), status="dead", error="User kim@example.com is unknown", retry_count=1,
                started_at=now - timedelta(minutes=4), completed_at=now - timedelta(minutes=3))  # fmt: skip
    put(database, TaskRow, [dead, task("t2", now - timedelta(minutes=9), status="pending", queue_name="vision")])
    put(database, AttemptRow, [attempt(dead, 0)])
    put(database, DeadLetterRow, [letter(dead)])
    QueueMinutes(database).add(
        now.replace(second=0, microsecond=0), {"vision": Depth(ready=1, claimed=0, delayed=0, dead=0)}, now=now
    )
    words = SqlWords(database.dialect)
    today = datetime.now(ZoneInfo("Asia/Seoul")).date().isoformat()
    for name, settled in (("total", 90), ("user:kim@example.com", 100)):
        database.run(
            lambda one, values=(name, today, 100, settled, settled, 0, 0, 0): words.run(
                one, "INSERT INTO budget_day (name, day, cap, reserved, settled, released, unknown, told) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values
            )
        )  # fmt: skip

    found = {rule: read() for rule, read in measures(database, ZoneInfo("Asia/Seoul")).items()}

    assert "kim" not in str(found)
    assert len(found["new_error_group"]) == 1
    assert [each.value for each in found["dead_letters"]] == [1.0]
    assert found["queue_wait"][0].value >= 530
    assert {each.details["budget"]: each.value for each in found["budget"]} == {"total": 90.0, "users": 100.0}
    assert {each.subject for each in found["late_job"]} >= {"(no scheduler)", names.AGGREGATE_DAILY.actor}
