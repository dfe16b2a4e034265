"""Ends of runs are collected, written together, and each is told."""

from __future__ import annotations

from growbin_jobs.engine.journal.ends import Ends


class KeepingWriter:
    def __init__(self):
        self.calls = []
        self.unwritten = 0

    def submit(self, call, then):
        self.calls.append((call, then))


def test_ends_that_wait_are_one_call_and_each_is_told(connection, an_end, a_message):
    writer, told = KeepingWriter(), []
    ends = Ends(writer)
    for n in range(3):
        ends.add(an_end(f"t{n}", outbox=(a_message(f"m{n}"),)), lambda error, owed, n=n: told.append((n, error, owed)))
    assert ends.unwritten == 0
    writer.unwritten = 1
    assert ends.unwritten == 3

    [(call, then)] = writer.calls
    then(None, call(connection))

    assert [(n, error, [each.message_id for each in owed]) for n, error, owed in told] == [
        (n, None, [f"m{n}"]) for n in range(3)
    ]
    assert ends.unwritten == 0


def test_a_call_whose_transaction_failed_writes_the_same_and_what_has_come_since(connection, an_end):
    writer, told = KeepingWriter(), []
    ends = Ends(writer)
    ends.add(an_end("t0"), lambda error, _: told.append(("t0", error)))
    [(call, then)] = writer.calls
    with connection:
        call(connection)
        connection.execute("DELETE FROM task_wal")  # as a rollback would
    ends.add(an_end("t1"), lambda error, _: told.append(("t1", error)))

    then(None, call(connection))

    assert told == [("t0", None), ("t1", None)]


def test_one_that_can_never_be_written_does_not_harm_the_others(connection, an_end):
    writer, told = KeepingWriter(), []
    ends = Ends(writer)
    for task_id in ("good", "bad"):
        ends.add(an_end(task_id), lambda error, _, task_id=task_id: told.append((task_id, error)))
    _, then = writer.calls.pop()

    then(ValueError("never"), None)

    assert told == []
    for call, then in writer.calls:
        then(None, call(connection))
    assert told == [("good", None), ("bad", None)]
