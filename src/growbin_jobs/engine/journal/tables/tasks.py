"""The row of each task: started, finished, crashed. The caller runs each function inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import apsw

from growbin_jobs.engine.delivery.records import COMPLETED, Finish, OutboxMessage, Started, TaskHistory, TaskState
from growbin_jobs.engine.journal.tables import attempts, dead_letters, outbox, retries
from growbin_jobs.engine.journal.tables.outbox import take_numbers

#: A message that is handed in again keeps what became of it.
ACCEPTED = """
INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, created_at, due_at, seq)
VALUES (?, ?, ?, ?, 'pending', ?, ?, ?) ON CONFLICT DO NOTHING
"""

#: It stays pending: somebody may mend the broker.
REFUSED = """
UPDATE task_wal SET error = ?2, seq = ?3, synced_at = NULL
WHERE task_id = ?1 AND status = 'pending' AND error IS NOT ?2
"""

#: A start that is reported late says nothing about a run that has ended since.
STARTED = """
INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, delivery_tag, created_at, started_at, worker,
                      retry_count, deferrals, seq)
VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET
    status = 'running', delivery_tag = excluded.delivery_tag, started_at = excluded.started_at,
    completed_at = NULL, worker = excluded.worker, retry_count = excluded.retry_count,
    deferrals = excluded.deferrals, due_at = NULL, synced_at = NULL, seq = excluded.seq
WHERE status NOT IN ('completed', 'dead') AND (started_at IS NULL OR started_at < excluded.started_at)
"""

_END = (
    "task_id, task_name, queue_name, payload, status, delivery_tag, created_at, started_at, completed_at, error,"
    " retry_count, result, worker, deferrals, due_at, seq"
)
#: OR FAIL, since whatever fails undoes its whole transaction or savepoint. Otherwise SQLite copies each page that the
#: statement is about to change, so as to undo that one alone: a twentieth of what ends cost, a tenth with follow-ups.
FIRST_END_ROWS = (
    f"INSERT OR FAIL INTO task_wal ({_END})",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT DO NOTHING",
)
FIRST_END = "{} VALUES {} {}".format(*FIRST_END_ROWS)

#: Completed stays completed, whatever a second delivery comes to; a message that was given up is not retried beside it.
LATER_END = """
UPDATE task_wal SET
    task_name = ?2, queue_name = ?3, payload = ?4, status = ?5, delivery_tag = ?6, started_at = ?8, completed_at = ?9,
    error = ?10, retry_count = ?11, result = ?12, worker = ?13, deferrals = ?14, due_at = ?15, seq = ?16,
    crashes = 0, lone_crashes = 0, synced_at = NULL
WHERE task_id = ?1 AND status <> 'completed' AND NOT (status = 'dead' AND ?5 = 'failed')
"""

#: A start whose process is gone. What has ended otherwise since is not charged.
CRASHED = """
INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, created_at, error, crashes, lone_crashes, seq)
VALUES (?1, ?2, ?3, 'null', 'failed', ?4, ?5, 1, ?7, ?6)
ON CONFLICT (task_id) DO UPDATE SET
    status = 'failed', error = excluded.error, crashes = crashes + 1,
    lone_crashes = lone_crashes + excluded.lone_crashes, synced_at = NULL, seq = excluded.seq
WHERE status NOT IN ('completed', 'dead')
"""

#: One statement for all: most ids are unheard of, and then this costs about a microsecond for each.
LOOKUP = """
SELECT task_id, status, crashes, lone_crashes, retry_count, deferrals FROM task_wal
WHERE task_id IN (SELECT value FROM json_each(?))
"""

CRASH_ERROR = "its worker process died while it ran"


def accept(connection: apsw.Connection, message: OutboxMessage, payload: str, *, now: float) -> OutboxMessage:
    """Take over a producer's message until the broker has it, and return it as stored."""
    values = (message.message_id, message.task_name, message.queue_name, payload, now, message.due_at)
    seq = take_numbers(connection)
    connection.execute(ACCEPTED, (*values, seq))
    return outbox.accept(connection, message, seq=seq, now=now)


def refused(connection: apsw.Connection, task_id: str, why: str) -> None:
    """Say why the broker does not take a producer's message."""
    connection.execute(REFUSED, (task_id, why, take_numbers(connection)))


def started(connection: apsw.Connection, records: Iterable[Started]) -> None:
    """Show tasks as running."""
    for record in records:
        values = (
            record.task_id, record.task_name, record.queue_name, record.payload, record.delivery_tag,
            record.started_at if record.created_at is None else record.created_at,
            record.started_at, record.worker, record.retry_count, record.deferrals, take_numbers(connection),
        )  # fmt: skip
        connection.execute(STARTED, values)


def finish(connection: apsw.Connection, record: Finish) -> tuple[OutboxMessage, ...]:
    """Write the end of a run together with its outbox.

    Returns:
      The task's outbox, as stored. An end that comes too late (the task was completed before) changes nothing
      and returns what is still messages from before.
    """
    seq = take_numbers(connection, 1 + len(record.outbox))
    values = end_values(record, seq)
    connection.execute(FIRST_END, values)
    if not connection.changes():
        connection.execute(LATER_END, values)
        if not connection.changes():
            return outbox.of_task(connection, record.task_id)
        outbox.clear(connection, record.task_id)
        retries.forget(connection, record.task_id)
        if not record.dead:
            dead_letters.close(connection, record.task_id, now=record.completed_at)
    if record.state == TaskState.FAILED:
        retries.record(connection, record)
        attempts.record(connection, record)
    if record.dead:
        dead_letters.record(connection, record, record.dead)
        attempts.record(connection, record)
    if not record.outbox:
        return ()
    return outbox.add(connection, record.task_id, record.outbox, first_seq=seq + 1, now=record.completed_at)


def end_values(record: Finish, seq: int) -> tuple[str | float | None, ...]:
    """Return the values of :data:`FIRST_END` and :data:`LATER_END`."""
    return (
        record.task_id, record.task_name, record.queue_name, record.payload, record.state, record.delivery_tag,
        record.started_at if record.created_at is None else record.created_at,
        record.started_at, record.completed_at, record.error, record.retry_count, record.result, record.worker,
        record.deferrals, record.due_at, seq,
    )  # fmt: skip


def crashed(
    connection: apsw.Connection, starts: Sequence[tuple[str, str, str]], *, now: float, pid: int | None = None
) -> int:
    """Add a crash to each task that one process was running when it died.

    One of them may have killed it, and nobody knows which; a lone crash is only that of a message that ran alone.

    Parameters:
      starts: Id, actor and queue of each.
      now: Seconds since 1970, UTC.
      pid: Of that process, as far as it is known; it tells people which run it was.

    Returns:
      How many were charged.
    """
    charged = 0
    alone = int(len(starts) == 1)
    for task_id, task_name, queue_name in starts:
        values = (task_id, task_name, queue_name, now, CRASH_ERROR, take_numbers(connection), alone)
        attempts.record_crash(connection, task_id, pid=pid, error=CRASH_ERROR, now=now)
        connection.execute(CRASHED, values)
        charged += connection.changes()
    return charged


def lookup(connection: apsw.Connection, task_ids: Sequence[str]) -> dict[str, TaskHistory]:
    """Return what matters before these run: those that have ended here, that have an outbox, or that crashed."""
    found = {}
    for task_id, state, crashes, lone_crashes, retry_count, deferrals in connection.execute(
        LOOKUP, (json.dumps(task_ids),)
    ):
        messages = outbox.of_task(connection, task_id)
        if crashes or messages or state in (TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD):
            found[task_id] = TaskHistory(
                task_id, TaskState(state), crashes, retry_count, deferrals, messages, lone_crashes
            )
    return found


#: Rows that one statement inserts at most; a power of two.
MOST_ROWS = 256

Row = tuple[str | bytes | float | None, ...]


def finish_many(connection: apsw.Connection, records: Sequence[Finish]) -> list[tuple[OutboxMessage, ...]]:
    """Write ends as :func:`finish` does, with few statements for those that completed at the first try."""
    first_tries = [record for record in records if record.state is COMPLETED]
    if len(first_tries) < 2 or len({record.task_id for record in records}) < len(records):
        ends = []
        for record in records:
            ends.append(finish(connection, record))
        return ends
    seq = take_numbers(connection, sum(1 + len(record.outbox) for record in first_tries))
    numbers: dict[str, int] = {}
    for record in first_tries:
        numbers[record.task_id] = seq
        seq += 1 + len(record.outbox)
    rows = [end_values(record, numbers[record.task_id]) for record in first_tries]
    if _insert(connection, FIRST_END_ROWS, rows) < len(rows):
        numbers = _written(connection, numbers)
    messages = [
        outbox.row(each, record.task_id, number, record.completed_at)
        for record in first_tries
        if record.task_id in numbers
        for number, each in enumerate(record.outbox, numbers[record.task_id] + 1)
    ]
    _insert(connection, outbox.PUT_ROWS, messages)
    return [
        outbox.numbered(record.outbox, record.task_id, numbers[record.task_id] + 1)
        if record.task_id in numbers
        else finish(connection, record)
        for record in records
    ]


def _insert(connection: apsw.Connection, statement: tuple[str, str, str], rows: Sequence[Row]) -> int:
    """Insert rows with one statement, or one for each :data:`MOST_ROWS`; return how many were inserted."""
    inserted = 0
    for start in range(0, len(rows), MOST_ROWS):
        portion = rows[start : start + MOST_ROWS]
        size = 1 << (len(portion) - 1).bit_length()
        values = [value for row in portion for value in row]
        values += [None] * ((size - len(portion)) * len(rows[0]))
        connection.execute(_statement(statement, size), values)
        inserted += connection.changes()
    return inserted


@lru_cache(maxsize=64)
def _statement(statement: tuple[str, str, str], size: int) -> str:
    """Return a statement for so many rows; few sizes, so that they stay prepared, and rows of NULL fill one up."""
    head, row, tail = statement
    rows = ", ".join([row] * size)
    return f"{head} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL {tail}"  # noqa: S608 constants only


def _written(connection: apsw.Connection, numbers: dict[str, int]) -> dict[str, int]:
    """Return those whose row has their number: the others had a row already."""
    query = "SELECT task_id, seq FROM task_wal WHERE task_id IN (SELECT value FROM json_each(?))"
    stored = {row[0]: row[1] for row in connection.execute(query, (json.dumps(list(numbers)),))}
    return {task_id: seq for task_id, seq in numbers.items() if stored[task_id] == seq}
