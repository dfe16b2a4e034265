"""What the pages of the monitor read, on both kinds of database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.monitor.data import attempt, letter, task
from tests.monitor.data import put as put_rows

from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.minutes_due import touch
from growbin_jobs.engine.central.search.expressions import ALL
from growbin_jobs.engine.central.search.task_detail import SHOWN, TaskDetails
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.delivery.codec import follow_up_id
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.operations import exports
from growbin_jobs.operations.analysis_timeline import timeline
from growbin_jobs.operations.error_groups import error_groups
from growbin_jobs.operations.overview import overview, state_counts
from growbin_jobs.operations.waiting import why_task_waits
from growbin_jobs.operations.worker_states import Presence, present_workers, worker_states

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def put(database: Database, task_id: str, created: float = 0, **fields: Any) -> None:
    row = {
        "task_id": task_id, "node": "n1", "task_name": "upload_image", "queue_name": "user_input", "payload": "{}",
        "status": "completed", "created_at": second(created), "retry_count": 0, "synced_at": START, "deferrals": 0,
        "crashes": 0, "seq": 1,
    }  # fmt: skip
    database.run(lambda connection: TaskRow.insert({**row, **fields}).execute(connection))


def group(node: str, seen: float, **fields: Any) -> WorkerGroup:
    values: dict[str, Any] = {
        "group_name": "storage", "version": "1.0", "pids": [7], "processes": 1, "threads": 4, "queues": ["user_input"],
        "running": 1, "unsynced": 3, "owed": 2, "lag": 0.0, "started_at": START, "seen_at": second(seen),
    }  # fmt: skip
    return WorkerGroup(node=node, **(values | fields))


def test_an_hour_is_added_up_by_minute_and_actor(database):
    put(database, "a", 0, started_at=second(2), completed_at=second(12))
    put(database, "b", 0, started_at=second(-5), completed_at=second(70), status="dead")
    put(database, "old", -7200, completed_at=second(-7000))

    found = overview(database, until=second(600))
    assert (found.ends, found.failures, found.rate, len(found.minutes)) == (2, 1, 0.5, 60)
    by_minute = {point.at: point for point in found.minutes}
    assert by_minute[START].done == 1
    assert by_minute[second(60)].dead == 1
    [line] = found.actors
    assert (line.actor, line.ends, line.failures) == ("upload_image", 2, 1)
    assert line.spreads.wait_p95 is not None
    assert line.spreads.run_p50 is not None
    assert 1 < line.spreads.wait_p95 < 5
    assert 10 <= line.spreads.run_p50 <= 20
    assert overview(database, until=second(-6900)).ends == 1
    assert state_counts(TaskSearch(database))["dead"].number == 1


def test_figures_of_minutes_and_the_minutes_without_are_one_overview(database):
    rows = [task(f"t{n}", second(60 * n), started_at=second(60 * n), completed_at=second(60 * n + 1)) for n in range(6)]
    put_rows(database, TaskRow, rows)
    database.transaction(lambda connection: touch(connection, database.dialect, {int(START.timestamp()) // 60}))
    Minutes(database).compute_due(now=second(600), kept=timedelta(days=1))

    found = overview(database, until=second(600))
    assert (found.ends, [point.done for point in found.minutes][-10:]) == (6, [1] * 6 + [0] * 4)


def test_a_task_of_14_megabytes_shows_its_beginning(database):
    put(database, "big", payload=json.dumps({"args": ["x" * 14_000_000]}), result="1", error="한" * 70_000)

    found = TaskDetails(database).get("big")
    assert found is not None
    assert found.payload is not None
    assert (len(found.payload.text), found.payload.length, found.payload.is_whole) == (SHOWN, 14_000_014, False)
    assert found.result is not None
    assert found.result.is_whole
    assert sum(map(len, TaskDetails(database).pieces("big", "payload"))) == 14_000_014
    assert [task.error for task in TaskDetails(database).some(["big"])] == ["한" * 300]
    assert TaskDetails(database).get("\0") is None


def test_failures_of_the_newest_version_are_new(database):
    Workers(database).report(
        "n1", [group("n1", 0, version="2.0", started_at=second(100))], unsynced=0, owed=0, at=START
    )
    dead = task("a", START, status="dead", error="KeyError", completed_at=second(11))
    late = task("c", START, status="dead", error="ValueError", completed_at=second(130))
    again = task("b", START, status="failed", error="KeyError", completed_at=second(120))
    put_rows(database, AttemptRow, [attempt(row, 2) for row in (dead, late, again)])
    put_rows(database, DeadLetterRow, [letter(dead), letter(late)])

    found = error_groups(database, since=START, until=second(3600))
    assert [(each.title, each.count, each.dead, each.is_new) for each in found.groups] == [
        ("KeyError", 2, 1, False), ("ValueError", 1, 1, True),
    ]  # fmt: skip
    assert found.version == "2.0"


def test_workers_are_there_or_silent_or_gone(database):
    workers = Workers(database)
    workers.report("a", [group("a", 0)], unsynced=0, owed=0, at=second(0))
    workers.report("b", [group("b", 100)], unsynced=0, owed=0, at=second(100))
    workers.report("c", [group("c", 100)], unsynced=3, owed=2, at=second(100))
    workers.report("c", [], unsynced=3, owed=2, at=second(101))

    states = worker_states(workers, now=second(110))
    assert [(each.group.node, each.presence) for each in (*states.present, *states.gone)] == [
        ("a", Presence.SILENT), ("b", Presence.WORKING), ("c", Presence.GONE),
    ]  # fmt: skip
    assert states.left_by_gone == 5
    assert present_workers(workers, now=second(110)) == states.present


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "completed"}, None),
        ({"status": "failed", "due_at": second(1000), "error": "E"}, "retry_due"),
        ({"status": "failed", "due_at": second(1000), "deferrals": 2}, "deferred"),
        ({"status": "running", "started_at": second(1)}, "running"),
        ({"status": "running", "node": "silent", "started_at": second(1)}, "redelivered"),
        ({"status": "running", "node": "unknown", "started_at": second(1)}, "redelivered"),
        ({"status": "running", "node": "unknown", "started_at": second(100)}, "running"),
        ({"status": "pending", "queue_name": "nobody"}, "nobody_takes"),
        ({"status": "pending"}, "in_queue"),
    ],
)
def test_a_task_says_why_it_waits(database, fields, reason):
    Workers(database).report("n1", [group("n1", 100)], unsynced=0, owed=0, at=START)
    Workers(database).report("silent", [group("silent", 0)], unsynced=0, owed=0, at=START)
    put(database, "a", **fields)

    [task] = TaskSearch(database).page().tasks
    why = why_task_waits(task, database, now=second(110), embedded=False)
    assert (why and why.reason) == reason
    embedded = why_task_waits(task, database, now=second(110), embedded=True)
    assert (embedded and embedded.reason) == ("returns" if reason == "redelivered" else reason)


def test_an_analysis_is_a_line_of_time(database):
    analyses = Analyses(database, clock=lambda: START)
    analyses.accept("an1", "kim")
    put(database, "root", 0, payload=json.dumps({"args": ["kim", "s3://x", "an1"], "kwargs": {}}),
        started_at=second(1), completed_at=second(3))  # fmt: skip
    child = follow_up_id("root", "analyze_image", 0)
    put(database, child, 3, task_name="analyze_image", status="failed", started_at=second(5), completed_at=second(9),
        retry_count=1)  # fmt: skip
    usage = {
        "id": "u1", "sent_at": second(6), "day": "2026-11-28", "node": "n1", "purpose": "vision", "analysis_id": "an1",
        "message_id": child, "model": "gpt", "outcome": "answered", "billed": "yes", "latency_ms": 1500,
        "tokens_in": 900, "tokens_out": 40, "cost": 1234,
    }  # fmt: skip
    database.run(lambda connection: LlmUsage.insert(usage).execute(connection))

    found = timeline("an1", database, actors=["upload_image", "analyze_image"], now=second(20))
    assert found is not None
    assert [(s.actor, s.wait, s.run, s.attempts, s.cost, s.depth) for s in found.stages] == [
        ("upload_image", 1.0, 2.0, 1, 0, 0), ("analyze_image", 2.0, 4.0, 2, 1234, 1),
    ]  # fmt: skip
    assert (found.cost, found.tokens_in, found.requests[0].seconds) == (1234, 900, 1.5)
    assert all(0 <= s.begins <= 1 and s.waits <= s.width <= 1 for s in found.stages)
    assert timeline("nobody", database, actors=[], now=START) is None


def test_an_export_has_every_task_once(database, monkeypatch):
    monkeypatch.setattr(exports, "MOST_LINES", 2)
    for number in range(7):
        put(database, f"t{number}", number // 3)

    rows = [line.task_id for line in exports.tasks(TaskSearch(database), ALL)]
    assert sorted(rows) == [f"t{number}" for number in range(7)]
    assert len(list(exports.tasks(TaskSearch(database), ALL, most=3))) == 3
