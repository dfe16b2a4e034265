"""Many ends in few statements come to the same as one after the other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import attempts, outbox, reader, tasks
from growbin_jobs.engine.journal.tables.tasks import finish_many

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


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
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

        owed = finish_many(many, together)

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
