"""What becomes of a task's row."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, Started, TaskState
from growbin_jobs.engine.journal.tables import outbox, reader, tasks

COMPLETED, FAILED, DEAD = TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD


def row(connection: apsw.Connection, task_id: str = "task") -> Any:
    return reader.task(connection, task_id)


def test_an_end_is_written_with_all_that_it_says(connection, an_end):
    end = an_end(
        result='{"a":1}', retry_count=2, deferrals=3, created_at=90.0, delivery_tag=7, error="once", worker="node/ai/1"
    )

    assert tasks.finish(connection, end) == ()

    found = row(connection)
    for name in ("task_id", "task_name", "queue_name", "payload", "created_at", "started_at", "completed_at", "error",
                 "retry_count", "deferrals", "result", "worker", "delivery_tag"):  # fmt: skip
        assert getattr(found, name) == getattr(end, name), name
    assert found.status is COMPLETED
    assert found.synced_at is None


def test_what_an_end_owes_is_stored_in_order_with_numbers(connection, an_end, a_message):
    owed = tuple(a_message(f"m{n}", ordinal=n, due_at=5.0 * n, body=bytes([n])) for n in range(3))

    stored = tasks.finish(connection, an_end(outbox=owed))

    assert [(each.message_id, each.ordinal, each.due_at, each.body) for each in stored] == [
        (each.message_id, each.ordinal, each.due_at, each.body) for each in owed
    ]
    assert {each.parent_id for each in stored} == {"task"}
    assert outbox.of_task(connection, "task") == stored
    assert tasks.lookup(connection, ["task"])["task"].outbox == stored


@pytest.mark.parametrize("late", [COMPLETED, FAILED, DEAD])
def test_completed_stays_completed_and_owes_what_it_owed(connection, an_end, a_message, late):
    stored = tasks.finish(connection, an_end(outbox=(a_message(),), result="1"))
    before = row(connection)

    assert tasks.finish(connection, an_end(state=late, result="2", outbox=(a_message("other"),))) == stored

    assert row(connection) == before
    assert connection.execute("SELECT count(*) FROM dead_letter").get == 0
    assert connection.execute("SELECT count(*) FROM retry_queue").get == 0


def test_a_retry_that_succeeds_owes_the_new_messages_only(connection, an_end, a_message):
    tasks.finish(connection, an_end(state=FAILED, outbox=(a_message("task"),), due_at=200.0, error="boom"))
    assert reader.retry_of(connection, "task") == (0, 200.0, "boom")

    stored = tasks.finish(connection, an_end(outbox=(a_message("next"),), retry_count=1))

    assert [each.message_id for each in stored] == ["next"]
    assert outbox.of_task(connection, "task") == stored
    assert reader.retry_of(connection, "task") is None
    assert (row(connection).status, row(connection).retry_count) == (COMPLETED, 1)


def test_a_message_that_was_given_up_is_not_retried_beside_it(connection, an_end, a_message):
    tasks.finish(connection, an_end(state=DEAD))

    assert tasks.finish(connection, an_end(state=FAILED, outbox=(a_message("task"),))) == ()

    assert row(connection).status is DEAD
    assert reader.retry_of(connection, "task") is None


def test_a_message_that_was_given_up_may_be_completed_by_another_run(connection, an_end):
    tasks.finish(connection, an_end(state=DEAD))
    tasks.finish(connection, an_end())

    assert row(connection).status is COMPLETED
    assert connection.execute("SELECT retried_at FROM dead_letter").fetchall() == [(101.0,)]


def test_a_start_is_shown_and_its_end_completes_it(connection, a_start, an_end):
    tasks.started(connection, [a_start(created_at=90.0)])
    assert (row(connection).status, row(connection).created_at, row(connection).started_at) == ("running", 90.0, 100.0)

    tasks.finish(connection, an_end(created_at=95.0))
    assert (row(connection).status, row(connection).created_at) == (COMPLETED, 90.0)


@pytest.mark.parametrize("state", [COMPLETED, FAILED, DEAD])
def test_a_start_that_is_reported_after_its_end_changes_nothing(connection, a_start, an_end, state):
    tasks.finish(connection, an_end(state=state))
    before = row(connection)

    tasks.started(connection, [a_start()])

    assert row(connection) == before


def test_a_retry_shows_as_running_again(connection, a_start, an_end):
    tasks.finish(connection, an_end(state=FAILED, error="boom"))
    tasks.started(connection, [a_start(started_at=102.0, retry_count=1)])

    found = row(connection)
    assert (found.status, found.retry_count, found.error, found.completed_at) == ("running", 1, "boom", None)


def test_crashes_are_counted_until_a_run_ends(connection, a_start, an_end):
    tasks.started(connection, [a_start()])
    for count in (1, 2, 3):
        assert tasks.crashed(connection, [("task", "actor", "queue")], now=110.0) == 1
        assert tasks.lookup(connection, ["task"])["task"].crashes == count
    assert row(connection).status is FAILED
    assert row(connection).payload == "[]"

    tasks.finish(connection, an_end(state=FAILED))
    known = tasks.lookup(connection, ["task"])["task"]
    assert (known.crashes, known.lone_crashes) == (0, 0)


def test_a_lone_crash_is_only_that_of_a_task_that_ran_alone(connection):
    def crash(*ids):
        tasks.crashed(connection, [(task_id, "actor", "queue") for task_id in ids], now=110.0)
        found = tasks.lookup(connection, ["killer", "one", "two"])
        return {task_id: (known.crashes, known.lone_crashes) for task_id, known in found.items()}

    assert crash("killer", "one") == {"killer": (1, 0), "one": (1, 0)}  # nobody knows which
    # Suspected before, and with it ran a fresh one that may be to blame as well.
    assert crash("killer", "two") == {"killer": (2, 0), "one": (1, 0), "two": (1, 0)}
    assert crash("killer") == {"killer": (3, 1), "one": (1, 0), "two": (1, 0)}
    assert crash("one", "two")["one"] == (2, 0)


def test_a_crash_of_a_task_without_a_row_is_counted_too(connection):
    tasks.crashed(connection, [("task", "actor", "queue")], now=110.0)

    found = row(connection)
    assert (found.crashes, found.task_name, found.queue_name, found.status) == (1, "actor", "queue", FAILED)


@pytest.mark.parametrize("state", [COMPLETED, DEAD])
def test_what_has_ended_for_good_is_charged_no_crash(connection, an_end, state):
    tasks.finish(connection, an_end(state=state))
    before = row(connection)

    assert tasks.crashed(connection, [("task", "actor", "queue")], now=110.0) == 0

    assert row(connection) == before


def test_a_lookup_returns_only_what_matters(connection, a_start, an_end, a_message):
    tasks.finish(connection, an_end("completed"))
    tasks.finish(connection, an_end("dead", DEAD))
    tasks.finish(connection, an_end("failed", FAILED))
    tasks.finish(connection, an_end("owing", FAILED, retry_count=4, deferrals=2, outbox=(a_message("owing"),)))
    tasks.started(connection, [a_start("running")])
    tasks.crashed(connection, [("crashed", "a", "q")], now=1.0)
    tasks.accept(connection, a_message("pending"), "[]", now=1.0)

    ids = ["completed", "dead", "failed", "owing", "running", "crashed", "pending", "unheard"]
    found = tasks.lookup(connection, ids)

    assert {known.task_id: str(known.state) for known in found.values()} == {
        "completed": "completed", "dead": "dead", "failed": "failed", "owing": "failed", "crashed": "failed"
    }  # fmt: skip
    assert (found["owing"].retry_count, found["owing"].deferrals) == (4, 2)


def test_every_change_gets_a_number_of_its_own_that_grows(connection, a_start, an_end, a_message):
    numbers = []
    for change in (
        lambda: tasks.accept(connection, a_message("task"), "[]", now=1.0),
        lambda: tasks.started(connection, [a_start()]),
        lambda: tasks.crashed(connection, [("task", "a", "q")], now=1.0),
        lambda: tasks.finish(connection, an_end(state=FAILED, outbox=(a_message("task"), a_message("x")))),
        lambda: tasks.finish(connection, an_end()),
    ):
        change()
        numbers.append(row(connection).seq)
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.RUNNING])
def test_the_end_of_a_run_is_an_end(an_end, state):
    with pytest.raises(ValueError, match="not the end"):
        an_end(state=state)


def test_only_the_dead_say_why(an_end):
    with pytest.raises(ValueError, match="dead"):
        an_end(state=DEAD, dead=None)
    with pytest.raises(ValueError, match="dead"):
        an_end(dead=an_end(state=DEAD).dead)


def test_what_cannot_be_stored_raises_and_leaves_no_trace(connection, an_end):
    with pytest.raises(UnicodeEncodeError):
        tasks.finish(connection, an_end(result="\ud800"))
    assert row(connection) is None


def test_records_take_no_positions():
    for record in (Finish, OutboxMessage, Started):
        with pytest.raises(TypeError):
            record("task")
