"""Many ends in few statements come to the same as one after the other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.ends import Ends, finish_all
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import attempts, outbox, reader, tasks

DEAD = Dead(body=b"m", code="c", params="{}", error="e", traceback="t", died_at=101.0)


def an_end_of(task_id: str, state: TaskState, follow_ups: int, retry_count: int) -> Finish:
    owed = tuple(
        OutboxMessage(message_id=f"{task_id}.{n}", task_name="b", queue_name="q", body=b"{}", ordinal=n)
        for n in range(follow_ups)
    )
    return Finish(
        task_id=task_id, task_name="a", queue_name="q", payload="[]", state=state, worker="w", started_at=100.0,
        completed_at=101.0, outbox=owed, dead=DEAD if state is TaskState.DEAD else None, retry_count=retry_count,
    )  # fmt: skip


ENDS = st.lists(
    st.builds(
        an_end_of,
        st.sampled_from([f"t{n}" for n in range(30)]),
        st.sampled_from([TaskState.COMPLETED, TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD]),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    max_size=40,
)


def everything(connection):
    rows = [
        replace(reader.task(connection, task_id), seq=0)
        for (task_id,) in connection.execute("SELECT task_id FROM task_wal ORDER BY task_id").fetchall()
    ]
    debts = {row.task_id: [each.message_id for each in outbox.of_task(connection, row.task_id)] for row in rows}
    others = [connection.execute(f"SELECT task_id FROM {table} ORDER BY 1").fetchall()
              for table in ("dead_letter", "retry_queue")]  # fmt: skip
    earlier = [attempts.of_task(connection, row.task_id) for row in rows]
    return rows, debts, others, earlier, reader.counts(connection)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(earlier=ENDS, together=ENDS)
def test_together_is_as_one_after_the_other(tmp_path_factory, earlier, together):
    folder = tmp_path_factory.mktemp("ends")
    one, many = open_journal_file(folder / "one.db"), open_journal_file(folder / "many.db")
    try:
        for connection in (one, many):
            connection.pragma("synchronous", "OFF")
            for record in earlier:
                tasks.finish(connection, record)
        expected = [tasks.finish(one, record) for record in together]

        owed = finish_all(many, together)

        assert everything(many) == everything(one)
        assert [[each.message_id for each in each_owed] for each_owed in owed] == [
            [each.message_id for each in each_owed] for each_owed in expected
        ]
        stored = {seq for (seq,) in many.execute("SELECT seq FROM outbox").fetchall()}
        last = {record.task_id: each_owed for record, each_owed in zip(together, owed, strict=True)}
        assert {each.seq for each_owed in last.values() for each in each_owed} <= stored
    finally:
        one.close()
        many.close()


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
