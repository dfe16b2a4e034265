"""Ends of runs, written many at a time."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache

import apsw

from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.tables import outbox, tasks
from growbin_jobs.engine.journal.tables.changes import take_numbers
from growbin_jobs.engine.journal.writer import PASSING, Writer
from growbin_jobs.engine.sqlite.committer import Closed

#: Told once an end is committed; see :meth:`growbin_jobs.engine.journal.journal.Journal.finish`.
Then = Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]

#: Rows that one statement inserts at most; a power of two.
MOST_ROWS = 256

Ended = list[tuple[OutboxMessage, ...]]
Row = tuple[str | bytes | float | None, ...]


class Ends:
    """Collects ends until the writer's next transaction. Together they cost a few statements and not some for each.

    apsw lets go of Python's lock in each statement and must get it back after it, in competition with all workers.

    Parameters:
      writer: Of this process.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: deque[tuple[Finish, Then]] = deque()
        self._submitted = False
        self._calls: set[_Call] = set()

    @property
    def unwritten(self) -> int:
        """How many ends wait until the journal can be written again; none while it can."""
        if not self._writer.unwritten:
            return 0
        return len(self._waiting) + sum(len(call.batch) for call in tuple(self._calls))

    def add(self, record: Finish, then: Then) -> None:
        """Write an end soon."""
        self._waiting.append((record, then))
        if not self._submitted:
            self._submitted = True  # two threads may both come here: then one of two calls finds nothing to do
            call = _Call(self)
            self._calls.add(call)
            self._writer.submit(call.run, call.told)

    def write_alone(self, record: Finish, then: Then) -> None:
        """Write one end in a call of its own."""
        self._writer.submit(
            lambda connection: tasks.finish(connection, record), lambda error, messages: then(error, messages or ())
        )

    def told(self, call: _Call) -> None:
        """Forget a call that came to an end."""
        self._calls.discard(call)

    def take(self) -> list[tuple[Finish, Then]]:
        """Return what waits; what is added from now on is somebody else's."""
        self._submitted = False
        taken = []
        for _ in range(len(self._waiting)):
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                break
        return taken


class _Call:
    """One call, which may have to be run again when its transaction has failed."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self.batch: list[tuple[Finish, Then]] = []

    def run(self, connection: apsw.Connection) -> Ended:
        self.batch += self._ends.take()
        return finish_all(connection, [record for record, _ in self.batch])

    def told(self, error: BaseException | None, messages: Ended | None) -> None:
        self._ends.told(self)
        if error is None and messages is not None:
            for (_, then), one in zip(self.batch, messages, strict=True):
                then(None, one)
            return
        batch = self.batch or self._ends.take()  # of a call that was refused it never took any
        if len(batch) == 1 or isinstance(error, (Closed, *PASSING)):
            for _, then in batch:
                then(error, ())
            return
        # One of them can never be written. Each for itself, so that the others are.
        for record, then in batch:
            self._ends.write_alone(record, then)


def finish_all(connection: apsw.Connection, records: Sequence[Finish]) -> Ended:
    """Write ends as :func:`tasks.finish` does, with few statements for those that completed at the first try."""
    first_tries = [record for record in records if record.state is TaskState.COMPLETED]
    if len(first_tries) < 2 or len({record.task_id for record in records}) < len(records):
        return [tasks.finish(connection, record) for record in records]
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
