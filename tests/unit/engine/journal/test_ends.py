"""Ends of runs are collected, written together, and each is told."""

from __future__ import annotations

import math

import pytest

from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.session import End, Ends
from growbin_jobs.engine.journal.tables import dead_letters, outbox, reader
from growbin_jobs.engine.journal.tables.storable import UNSTORABLE
from growbin_jobs.engine.reasons import REASONS


class KeepingWriter:
    def __init__(self):
        self.calls = []
        self.unwritten = 0

    def submit(self, call, then):
        self.calls.append((call, then))


def run_all(writer, connection):
    while writer.calls:
        call, then = writer.calls.pop(0)
        connection.execute("SAVEPOINT request")
        try:
            result = call(connection)
        except Exception as error:
            connection.execute("ROLLBACK TO request")
            connection.execute("RELEASE request")
            then(error, None)
        else:
            connection.execute("RELEASE request")
            then(None, result)


@pytest.fixture
def writer():
    return KeepingWriter()


@pytest.fixture
def ends(writer):
    return Ends(writer)


def test_each_end_hears_of_its_own_outbox(connection, writer, ends, an_end, a_message):
    told = []
    for n in range(3):
        end = an_end(f"t{n}", outbox=(a_message(f"m{n}"),))
        ends.add(End(end, lambda error, owed, n=n: told.append((n, error, owed))))
    assert ends.unwritten == 0
    writer.unwritten = 1
    assert ends.unwritten == 3

    run_all(writer, connection)

    assert [(n, error, [each.message_id for each in owed]) for n, error, owed in told] == [
        (n, None, [f"m{n}"]) for n in range(3)
    ]
    assert ends.unwritten == 0


HALF = "\ud800"


@pytest.mark.parametrize(
    "odd",
    [
        {"error": f"half a pair {HALF}"},
        {"result": f'"{HALF}"'},
        {"payload": HALF},
        {"task_name": HALF},
        {"retry_count": 2**70},
        {"deferrals": -(2**70)},
        {"delivery_tag": 2**64},
        {"started_at": math.nan},
        {"completed_at": math.nan},
        {"created_at": math.nan},
        {"due_at": math.nan, "started_at": 10**400},
    ],
)
def test_a_value_that_sqlite_cannot_hold_is_left_out_of_its_end_alone(connection, writer, ends, an_end, odd):
    told = []
    for task_id in ("good", "odd", "fine"):
        record = an_end(task_id, **(odd if task_id == "odd" else {}))
        ends.add(End(record, lambda error, _, task_id=task_id: told.append((task_id, error))))

    run_all(writer, connection)

    assert sorted(told) == [("fine", None), ("good", None), ("odd", None)]
    assert {reader.task(connection, task_id).status for task_id in ("good", "odd", "fine")} == {TaskState.COMPLETED}
    assert dead_letters.find(connection) == []


@pytest.mark.parametrize(
    "odd", [{"due_at": 10**400}, {"message_id": HALF}, {"queue_name": HALF}, {"task_name": 7j}, {"body": object()}]
)
def test_an_end_whose_messages_cannot_be_stored_is_dead_with_that_reason(
    connection, writer, ends, an_end, a_message, odd
):
    told = []
    good, bad = an_end("good", outbox=(a_message("m"),)), an_end("bad", outbox=(a_message("n"), a_message("o")))
    for name, value in odd.items():
        setattr(bad.outbox[1], name, value)
    for record in (good, bad):
        ends.add(End(record, lambda *outcome, record=record: told.append((record.task_id, *outcome))))

    run_all(writer, connection)

    assert {task_id: error for task_id, error, _ in told} == {"good": None, "bad": None}
    assert reader.task(connection, "good").status is TaskState.COMPLETED
    assert reader.task(connection, "bad").status is TaskState.DEAD
    [letter] = dead_letters.find(connection)
    assert (letter.task_id, letter.code) == ("bad", UNSTORABLE)
    assert UNSTORABLE in REASONS
    assert outbox.of_task(connection, "bad") == ()


def test_an_error_that_is_nobody_s_fault_is_told_as_it_is(connection, writer, ends, an_end):
    told = []
    ends.add(End(an_end("t"), lambda error, _: told.append(error)))
    _, then = writer.calls.pop()
    error = RuntimeError("a bug")

    then(error, None)

    assert told == [error]
    assert writer.calls == []
