"""Ends of many runs in few statements.

apsw lets go of Python's lock in each statement and must get it back after it, in competition with all workers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import apsw

from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.tables import outbox, tasks
from growbin_jobs.engine.journal.tables.changes import take_numbers

#: Rows that one statement inserts at most; a power of two.
MOST_ROWS = 256

Row = tuple[str | bytes | float | None, ...]


def finish_many(connection: apsw.Connection, records: Sequence[Finish]) -> list[tuple[OutboxMessage, ...]]:
    """Write ends as :func:`tasks.finish` does, with few statements for those that completed at the first try."""
    first_tries = [record for record in records if record.state is TaskState.COMPLETED]
    if len(first_tries) < 2 or len({record.task_id for record in records}) < len(records):
        ends = []
        for record in records:
            ends.append(tasks.finish(connection, record))
        return ends
    seq = take_numbers(connection, sum(1 + len(record.outbox) for record in first_tries))
    numbers: dict[str, int] = {}
    for record in first_tries:
        numbers[record.task_id] = seq
        seq += 1 + len(record.outbox)
    rows = [tasks.end_values(record, numbers[record.task_id]) for record in first_tries]
    if _insert(connection, tasks.FIRST_END_ROWS, rows) < len(rows):
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
        else tasks.finish(connection, record)
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
