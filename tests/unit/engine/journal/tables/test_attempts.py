"""Runs that did not complete are kept, and those that did leave nothing there."""

from __future__ import annotations

import apsw
import pytest

from growbin_jobs.engine.delivery.records import Attempt, Outcome, TaskState
from growbin_jobs.engine.journal.file import schema
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import attempts, tasks
from growbin_jobs.engine.journal.tables.tasks import finish_many

COMPLETED, FAILED, DEAD = TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD


def outcomes(connection, task_id="task"):
    return [attempt.outcome for attempt in attempts.of_task(connection, task_id)]


def test_an_attempt_is_kept_with_all_that_its_end_says(connection, an_end):
    tasks.finish(
        connection,
        an_end(state=FAILED, worker="n/ai/1", error="boom", retry_count=2, deferrals=3, due_at=200.0, created_at=90.0),
    )

    assert attempts.of_task(connection, "task") == [
        Attempt("task", Outcome.FAILED, 100.0, 101.0, "n/ai/1", "boom", 2, 3, 200.0)
    ]
    assert attempts.of_task(connection, "other") == []


def test_every_attempt_stays_in_order_whatever_comes_later(connection, an_end):
    tasks.finish(connection, an_end(state=FAILED, error="first"))
    tasks.finish(connection, an_end(state=FAILED, error="second", retry_count=1))
    tasks.finish(connection, an_end(state=DEAD, error="third", retry_count=2))
    tasks.finish(connection, an_end())

    found = [(each.outcome, each.error) for each in attempts.of_task(connection, "task")]
    assert found == [("failed", "first"), ("failed", "second"), ("dead", "third")]


@pytest.mark.parametrize(("deferred", "outcome"), [(False, "failed"), (True, "deferred")])
def test_what_was_put_off_is_told_from_what_failed(connection, an_end, deferred, outcome):
    tasks.finish(connection, an_end(state=FAILED, retry_count=1, deferrals=1, deferred=deferred))
    assert outcomes(connection) == [outcome]


@pytest.mark.parametrize("body", [b'"deferrals"', b'{"deferrals": 5}', b'["deferrals"]', b'\xff"deferrals"', b""])
def test_an_end_is_written_whatever_its_retry_looks_like(connection, an_end, a_message, body):
    tasks.finish(connection, an_end(state=FAILED, outbox=(a_message("task", body=body),)))
    assert outcomes(connection) == ["failed"]


def test_an_end_that_comes_too_late_is_no_attempt(connection, an_end):
    tasks.finish(connection, an_end("completed"))
    tasks.finish(connection, an_end("completed", FAILED))
    tasks.finish(connection, an_end("dead", DEAD))
    tasks.finish(connection, an_end("dead", FAILED))

    assert outcomes(connection, "completed") == []
    assert outcomes(connection, "dead") == ["dead"]


def test_a_crash_is_an_attempt_with_what_was_seen_of_its_run(connection, a_start):
    tasks.started(connection, [a_start(worker="n/ai/77", retry_count=1, deferrals=2)])
    for now in (110.0, 120.0):
        tasks.crashed(connection, [("task", "actor", "queue")], now=now, pid=77)

    assert attempts.of_task(connection, "task") == [
        Attempt("task", Outcome.CRASHED, 100.0, 110.0, "n/ai/77", tasks.CRASH_ERROR, 1, 2, None),
        # Its start was not written: that of the run before is not its own.
        Attempt("task", Outcome.CRASHED, None, 120.0, None, tasks.CRASH_ERROR, None, None, None),
    ]


@pytest.mark.parametrize("pid", [7, 177, None])
def test_a_crash_is_not_taken_for_the_run_of_another_process(connection, a_start, pid):
    tasks.started(connection, [a_start(worker="n/ai/77")])
    tasks.crashed(connection, [("task", "actor", "queue")], now=110.0, pid=pid)

    (crash,) = attempts.of_task(connection, "task")
    assert (crash.outcome, crash.started_at, crash.worker) == ("crashed", None, None)


@pytest.mark.parametrize("state", [COMPLETED, DEAD])
def test_what_has_ended_for_good_has_not_crashed(connection, an_end, state):
    tasks.finish(connection, an_end(state=state))
    before = outcomes(connection)
    tasks.crashed(connection, [("task", "actor", "queue")], now=110.0)
    assert outcomes(connection) == before


def test_only_the_latest_hundred_of_a_task_are_kept(connection, an_end):
    tasks.finish(connection, an_end("other", FAILED))
    for n in range(103):
        tasks.finish(connection, an_end(state=FAILED, deferrals=n))

    assert [each.deferrals for each in attempts.of_task(connection, "task")] == list(range(3, 103))
    assert outcomes(connection, "other") == ["failed"]


def test_what_completes_does_not_touch_the_attempts(connection, an_end, a_message):
    touched = set()

    def note(action, one, two, database, trigger):
        touched.add(one)
        return apsw.SQLITE_OK

    tasks.finish(connection, an_end("failed", FAILED))
    connection.authorizer = note  # every statement is prepared anew
    tasks.finish(connection, an_end("alone", outbox=(a_message(),)))
    finish_many(connection, [an_end(f"t{n}", outbox=(a_message(f"m{n}"),)) for n in range(9)])
    tasks.finish(connection, an_end("failed", retry_count=1))
    connection.authorizer = None

    assert {"task_wal", "outbox"} < touched
    assert "attempt" not in touched


def test_an_older_file_has_none_and_gets_them_when_it_is_opened_to_write(path, an_end, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(schema, "STEPS", schema.STEPS[:1])
        connection = open_journal_file(path)
    tasks.finish(connection, an_end("done", result="1"))
    connection.execute(tasks.FIRST_END, tasks.end_values(an_end("failed", FAILED, error="before"), 7))
    before = connection.execute("SELECT * FROM task_wal").fetchall()
    assert connection.pragma("user_version") == 1
    assert attempts.of_task(connection, "failed") == []

    opened = open_journal_file(path)

    assert schema.version_of(opened) == len(schema.STEPS)
    assert opened.execute("SELECT * FROM task_wal").fetchall() == before
    assert attempts.of_task(opened, "failed") == []
    tasks.finish(opened, an_end("failed", FAILED, retry_count=1, error="after"))
    assert [each.error for each in attempts.of_task(opened, "failed")] == ["after"]
    tasks.finish(connection, an_end("other"))  # by a process that had it open before
    for each in (connection, opened):
        each.close()


def test_they_are_found_in_the_index(connection):
    query = f"EXPLAIN QUERY PLAN SELECT {attempts.COLUMNS} FROM attempt WHERE task_id = ? ORDER BY id"
    plan = str(connection.execute(query, ("task",)).fetchall())
    assert "INDEX attempt_of_task (task_id=?)" in plan
    assert "TEMP B-TREE" not in plan
