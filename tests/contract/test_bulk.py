"""Bulk jobs on both databases: frozen, previewed, paced, stopped, taken back, gone on with after kill -9."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import command_line
from tests.monitor.data import put, task
from tests.waiting import until

from growbin_jobs.engine.central import bulk_work
from growbin_jobs.engine.central.bulk_jobs import BulkJobs, BulkState
from growbin_jobs.engine.central.bulk_work import BulkWork
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action, DeadLetterRow
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.deeds import deeds
from growbin_jobs.engine.central.reruns import Reruns
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.keeper.bulk import WorkBulk
from growbin_jobs.errors import Conflict
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.operations import bulk, bulk_preview
from growbin_jobs.operations.bulk_preview import Choice, Prices
from growbin_jobs.rates import Rate

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
OFFLINE = Prices(limits=None, models={}, answer_ttl=3600.0)
ONLINE = Prices(
    limits=NamedLimits({"vision": Rate(100), "text": Rate(200)}), models={"vision": "m", "text": "m"}, answer_ttl=3600.0
)


def letters(database: Database, count: int, **fields: Any) -> None:
    """Put in so many dead letters of actors of the pipeline."""
    known = len(database.rows(DeadLetterRow.select(DeadLetterRow.id)))
    put(database, DeadLetterRow, [letter(known + number, **fields) for number in range(count)])


def letter(
    number: int, *, actor: str = "analyze_image", code: str = "retries_exhausted", **fields: Any
) -> dict[str, Any]:
    message = {
        "queue_name": "q", "actor_name": actor, "args": [f"a{number}", "s3://b/k"], "kwargs": {}, "options": {},
        "message_id": f"t{number}", "message_timestamp": 1,
    }  # fmt: skip
    row = {
        "id": f"letter-{number:05}", "node": "n", "letter": number, "task_id": f"t{number}", "task_name": actor,
        "queue_name": "q", "body": json.dumps(message).encode(), "code": code, "params": "{}", "error": "e",
        "traceback": "", "died_at": START + timedelta(seconds=number), "retried_at": None, "discarded_at": None,
        "seq": number, "taken_by": None, "taken_at": None, "taken_to": None, "carried_by": None, "done_at": None,
        "effect_at": None,
    }  # fmt: skip
    return row | fields


def work(database: Database, name: str = "w", *, runs: int = 50) -> None:
    """Work until nothing is due."""
    for _ in range(runs):
        if not WorkBulk(database, name).run_once():
            return


def begun(database: Database, count: int, **options: Any) -> str:
    letters(database, count)
    draft = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE)
    return bulk.start(database, draft.id, by="kim", typed=count, grace=0.0, **options).id


# --- the preview


def test_a_preview_freezes_the_set_and_counts_exactly_what_can_be_done(database):
    letters(database, 7)
    letters(database, 2, code="picture_too_small", actor="upload_image")
    letters(database, 1, body=b"no message")
    letters(database, 3, taken_by="lee", taken_at=START, taken_to="discard")

    found = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE)
    letters(database, 5)  # too late for this set

    shown = found.preview
    assert (shown["count"], shown["able"], found.total, found.refused) == (10, 7, 10, 3)
    assert shown["reasons"] == {"retries_exhausted": 8, "picture_too_small": 2}
    assert sorted(shown["refused"].values()) == [1, 2]
    bulk.start(database, found.id, by="kim", grace=0.0)
    work(database)
    ended = bulk.get(database, found.id)
    assert (ended.state, ended.done, ended.refused, ended.waiting) == ("ended", 7, 3, 0)
    assert DeadLetters(database).count_open() == 3 + 5


def test_money_and_minutes_are_those_of_the_past_at_the_limits_and_saved_answers_cost_nothing(database):
    now = datetime.now(UTC)
    put(
        database, LlmUsage,
        [usage(f"v{n}", "vision", now, cost=4000) for n in range(5)] + [usage("x", "text", now, cost=1000)]
        + [usage(f"s{n}", "vision", now, cost=4000, analysis_id=f"a{n}") for n in range(10)],
    )  # fmt: skip
    letters(database, 40)
    put(database, DeadLetterRow, [letter(100 + n, actor="generate_response") for n in range(20)])

    expected = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=ONLINE).preview["expected"]

    assert expected["requests"] == {"vision": 30, "text": 60}
    assert expected["saved"] == {"vision": 10}
    assert expected["micro_dollars"] == 30 * 4000 + 60 * 1000
    assert expected["decided_by"] in ("vision", "text")
    assert 0.3 <= expected["minutes"] <= 0.6
    offline = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE).preview["expected"]
    assert (offline["micro_dollars"], offline["requests"]) == (0, {})


def usage(name: str, purpose: str, at: datetime, **fields: Any) -> dict[str, Any]:
    row = {
        "id": name, "sent_at": at, "day": at.date().isoformat(), "node": "n", "purpose": purpose, "analysis_id": None,
        "user_id": None, "message_id": None, "attempt": 1, "model": "m", "served_model": "m", "tier_asked": None,
        "tier_served": None, "outcome": "answered", "billed": "yes", "status": 200, "request_id": None,
        "latency_ms": 1000, "first_byte_ms": None, "tokens_in": 1, "tokens_cached": 0, "tokens_cache_written": 0,
        "tokens_reasoning": 0, "tokens_out": 1, "cost": 0, "price_version": "1",
    }  # fmt: skip
    return row | fields


def test_filters_choose_and_nothing_is_a_sentence(database):
    letters(database, 3)
    letters(database, 2, actor="generate_response", code="worker_killed")

    assert bulk_preview.preview(database, "retry", Choice(actor="generate_response"), by="k", prices=OFFLINE).total == 2
    assert bulk_preview.preview(database, "retry", Choice(tasks=("t1", "t4", "t9")), by="k", prices=OFFLINE).total == 2
    with pytest.raises(Conflict, match="Nothing fits"):
        bulk_preview.preview(database, "retry", Choice(code="never"), by="k", prices=OFFLINE)


# --- its life


def test_more_than_a_hundred_need_their_number_typed(database):
    letters(database, 101)
    draft = bulk_preview.preview(database, "discard", Choice(), by="kim", prices=OFFLINE)

    for typed in (None, 100):
        with pytest.raises(Conflict, match="These are 101"):
            bulk.start(database, draft.id, by="kim", typed=typed)
    started = bulk.start(database, draft.id, by="kim", typed=101)
    assert (started.state, 25 < started.undo_seconds <= 30) == ("waiting", True)
    with pytest.raises(Conflict, match="is waiting"):
        bulk.start(database, draft.id, by="lee", typed=101)


def test_it_is_taken_back_before_it_begins_and_not_after(database):
    letters(database, 3)
    draft = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE)
    bulk.start(database, draft.id, by="kim")
    work(database)

    assert bulk.undo(database, draft.id).state == "undone"
    work(database)
    assert DeadLetters(database).count_open() == 3
    other = begun(database, 1)
    work(database)
    with pytest.raises(Conflict, match="is ended, and would have to be waiting"):
        bulk.undo(database, other)


def test_a_stopped_job_rests_and_goes_on_behind_what_it_did(database, monkeypatch):
    monkeypatch.setattr(bulk_work, "STEP", 3)
    job_id = begun(database, 10)
    worker = BulkWork(database, deeds(database), "w")
    job = worker.take()
    assert job is not None
    worker.step(job)
    stopped = bulk.stop(database, job_id, by="lee")

    assert (stopped.state, stopped.stopped_by, stopped.done) == ("stopped", "lee", 3)
    assert not worker.step(job).goes_on
    work(database)
    assert bulk.get(database, job_id).done == 3
    bulk.resume(database, job_id)
    work(database)
    assert (bulk.get(database, job_id).done, bulk.get(database, job_id).state) == (10, "ended")
    assert [each.id for each in bulk.history(database)] == [job_id]


def test_a_pace_is_kept(database):
    job_id = begun(database, 30, pace=600.0)
    worker = BulkWork(database, deeds(database), "w")
    job = worker.take()
    assert job is not None

    first, second = worker.step(job), worker.step(job)

    assert first.done <= 11  # of the first second
    assert second.done <= 3  # of the moment between
    assert bulk.get(database, job_id).state == "running"


def test_one_works_at_a_time_and_a_slow_one_has_lost_its_turn(database):
    begun(database, 200)
    first, second = (BulkWork(database, deeds(database), name) for name in ("a", "b"))
    job = first.take()
    assert job is not None
    assert second.take() is None
    first.step(job)
    database.run(lambda connection: connection.execute_sql("UPDATE bulk_jobs SET leased_until = 0"))

    again = second.take()
    assert again is not None
    assert not first.step(job).goes_on
    assert second.step(again).done == 50
    assert bulk.get(database, job.id).done == 100


def test_what_somebody_else_has_decided_meanwhile_is_refused_with_the_name(database):
    job_id = begun(database, 3)
    DeadLetters(database).mark("letter-00001", Action.DISCARD, by="lee", at=START)

    work(database)

    ended = bulk.get(database, job_id)
    assert (ended.done, ended.problems) == (2, {"letter-00001": "lee has decided about it."})


def test_tasks_run_again_each_under_one_new_id(database):
    rows = [task(f"t{n}", START, task_name="analyze_image", payload=json.dumps(message(n))) for n in range(5)]
    rows.append(task("u", START, task_name="upload_image"))
    put(database, TaskRow, rows)
    chosen = [(row["task_id"], row["task_name"], row["status"]) for row in rows]

    draft = bulk_preview.preview_tasks(database, chosen, by="kim", prices=OFFLINE, title="all", fresh=True)
    bulk.start(database, draft.id, by="kim", grace=0.0)
    work(database)

    ended = bulk.get(database, draft.id)
    assert (ended.done, ended.refused) == (5, 1)
    made = Reruns(database).waiting()
    assert sorted(each.rerun_of for each in made) == [f"t{n}" for n in range(5)]
    text = Reruns(database).carry(made[0], node="n")
    assert text is not None
    assert json.loads(text)["options"] == {"priority": 3, "fresh_answers": made[0].task_id}


def message(number: int) -> dict[str, Any]:
    return {
        "queue_name": "q", "actor_name": "analyze_image", "args": [f"a{number}"], "kwargs": {},
        "options": {"priority": 3, "retries": 2}, "message_id": f"t{number}", "message_timestamp": 1,
    }  # fmt: skip


def test_old_jobs_and_drafts_are_forgotten_and_those_that_go_on_are_not(database):
    letters(database, 2)
    bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE)
    bulk.start(database, bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE).id, by="kim")

    assert BulkJobs(database).forget(seconds=0.0, draft_seconds=0.0) == 1
    assert [each.state for each in BulkJobs(database).latest(drafts=True)] == [BulkState.WAITING]


# --- kill -9


@contextmanager
def worker(place: tuple[str, Path, Database], name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(__file__).with_name("bulk_worker.py")), place[0], str(place[1]), name]
    process = command_line.start_python(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_worker_s_job_is_stopped_resumed_and_ended_by_another_each_letter_once(place):
    database, count = place[2], 400
    letters(database, count)
    draft = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE)
    assert draft.preview["able"] == count
    watch(database)
    with worker(place, "one") as first:
        bulk.start(database, draft.id, by="kim", typed=count, pace=6000.0, grace=0.0)
        until(lambda: bulk.get(database, draft.id).done >= 60)
        first.kill()
        first.wait()
    half = bulk.stop(database, draft.id, by="lee")
    assert 60 <= half.done < count
    with worker(place, "two"):
        database.run(lambda connection: connection.execute_sql("UPDATE bulk_jobs SET pace = NULL"))
        bulk.resume(database, draft.id)
        # The dead one's lease has to end first.
        until(partial(is_ended, database, draft.id))

    ended = bulk.get(database, draft.id)
    assert (ended.done, ended.refused, ended.total) == (count, 0, count)
    assert DeadLetters(database).count_open() == 0
    rows = database.run(lambda c: c.execute_sql("SELECT target FROM decided").fetchall())
    assert sorted(row[0] for row in rows) == [f"letter-{number:05}" for number in range(count)]  # each once


def is_ended(database: Database, job_id: str) -> bool:
    return bulk.get(database, job_id).state == "ended"


def watch(database: Database) -> None:
    """Let the database itself note each decision about a letter."""
    statements = ["CREATE TABLE decided (target TEXT)"]
    if database.dialect == "sqlite":
        statements.append(
            "CREATE TRIGGER note_decision AFTER UPDATE OF taken_by ON dead_letters"
            " BEGIN INSERT INTO decided VALUES (new.id); END"
        )
    else:
        statements += [
            "CREATE FUNCTION note_decision() RETURNS trigger AS"
            " 'BEGIN INSERT INTO decided VALUES (new.id); RETURN new; END' LANGUAGE plpgsql",
            "CREATE TRIGGER note_decision AFTER UPDATE OF taken_by ON dead_letters"
            " FOR EACH ROW EXECUTE FUNCTION note_decision()",
        ]
    for statement in statements:
        database.run(lambda connection, sql=statement: connection.execute_sql(sql))


class Changes:
    def __init__(self) -> None:
        self.forgotten = 0

    def any(self) -> bool:
        return True

    def forget(self) -> None:
        self.forgotten += 1


def test_a_keeper_looks_again_for_a_job_whose_time_has_not_come(database):
    """Nobody writes when it has."""
    changes = Changes()
    worker = WorkBulk(database, "w", changes)
    assert (worker.run_once(), changes.forgotten) == ({}, 0)
    letters(database, 2)
    draft = bulk_preview.preview(database, "retry", Choice(), by="kim", prices=OFFLINE)
    bulk.start(database, draft.id, by="kim", typed=2, grace=3600.0)
    assert (worker.run_once(), changes.forgotten) == ({}, 1)
    bulk.undo(database, draft.id)
    assert (worker.run_once(), changes.forgotten) == ({}, 1)
