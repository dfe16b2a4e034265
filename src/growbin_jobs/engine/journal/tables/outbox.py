"""The table ``outbox``: messages for the broker, from the transaction that made them until they are confirmed.

The caller runs each function inside a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apsw

from growbin_jobs.engine.delivery.records import OutboxMessage

COLUMNS = "message_id, task_name, queue_name, body, parent_id, due_at, ordinal, seq"

#: OR FAIL, as in ``tasks.FIRST_END_ROWS``.
PUT_ROWS = (
    "INSERT OR FAIL INTO outbox (message_id, task_name, queue_name, body, parent_id, due_at, ordinal, seq, created_at)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "ON CONFLICT (message_id) WHERE parent_id IS NULL DO NOTHING",
)
PUT = "{} VALUES {} {}".format(*PUT_ROWS)

ACCEPTED_CONFIRMED = """
DELETE FROM task_wal WHERE status = 'pending' AND task_id IN (
    SELECT message_id FROM outbox WHERE parent_id IS NULL AND seq IN (SELECT value FROM json_each(?))
)
"""

#: A task's own next run is no new message.
SENT = """
INSERT INTO sent SELECT seq, message_id, parent_id, task_name, queue_name, body, due_at, created_at FROM outbox
WHERE seq IN (SELECT value FROM json_each(?)) AND message_id IS NOT parent_id
ON CONFLICT DO NOTHING
"""

#: Seconds that any lease lasts at most. One that ends later was given by a clock that has been set back since.
LONGEST_LEASE = 30.0

#: Seconds by which the clock of another process, read before its transaction, may be ahead of this one's.
_SLACK = 5.0

#: What a live process is about to publish itself is left to it for a while; what was accepted waits for a relay.
#: What was made in the future was made before the clock was set back: it is overdue, and its delay counts from now.
OVERDUE = """
SELECT message_id, task_name, queue_name, body, parent_id, due_at - max(created_at - ?1, 0), ordinal, seq
FROM outbox WHERE seq > ?2 AND (parent_id IS NULL OR created_at <= ?3 OR created_at > ?1) ORDER BY seq LIMIT ?4
"""


def take_numbers(connection: apsw.Connection, count: int = 1) -> int:
    """Return the first of ``count`` numbers that nothing else gets. Inside a transaction."""
    last: int = connection.execute("UPDATE change_number SET seq = seq + ? RETURNING seq", (count,)).get
    return last - count + 1


def of_task(connection: apsw.Connection, parent_id: str) -> tuple[OutboxMessage, ...]:
    """Return the messages of a task that are not confirmed, in order."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM outbox WHERE parent_id = ? ORDER BY seq",  # noqa: S608 constants only
        (parent_id,),
    )
    return tuple(_message(row) for row in rows)


def add(
    connection: apsw.Connection, parent_id: str, messages: Iterable[OutboxMessage], *, first_seq: int, now: float
) -> tuple[OutboxMessage, ...]:
    """Add messages of a task, and return them as stored."""
    stored = []
    for seq, each in enumerate(messages, first_seq):
        connection.execute(PUT, row(each, parent_id, seq, now))
        stored.append(_stored(each, parent_id, seq))
    return tuple(stored)


def numbered(messages: tuple[OutboxMessage, ...], parent_id: str, first_seq: int) -> tuple[OutboxMessage, ...]:
    """Give a task's messages what they are stored under, numbers from ``first_seq`` on, and return them.

    They are its own, and nobody has seen them yet. Copies took nearly half of what Python does here for an end.
    """
    for seq, each in enumerate(messages, first_seq):
        each.parent_id, each.seq = parent_id, seq
    return messages


def row(message: OutboxMessage, parent_id: str | None, seq: int, now: float) -> tuple[str | bytes | float | None, ...]:
    """Return the values of :data:`PUT`."""
    return (
        message.message_id, message.task_name, message.queue_name, message.body, parent_id, message.due_at,
        message.ordinal, seq, now,
    )  # fmt: skip


def clear(connection: apsw.Connection, parent_id: str) -> None:
    """Delete all messages of a task."""
    connection.execute("DELETE FROM outbox WHERE parent_id = ?", (parent_id,))


def accept(connection: apsw.Connection, message: OutboxMessage, *, seq: int, now: float) -> OutboxMessage:
    """Keep a message that no task made, and return it as stored; one that is here already stays as it is."""
    accepted = _put(connection, message, None, seq, now)
    if connection.changes():
        return accepted
    query = f"SELECT {COLUMNS} FROM outbox WHERE message_id = ? AND parent_id IS NULL"  # noqa: S608 constants only
    return _message(connection.execute(query, (message.message_id,)).get)


def delete_confirmed(connection: apsw.Connection, seqs: Iterable[int]) -> None:
    """Delete messages of tasks that the broker has confirmed; ``sent`` has them until the central database does."""
    confirmed = (json.dumps(list(seqs)),)
    connection.execute(SENT, confirmed)
    connection.execute("DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))", confirmed)


def forwarded(connection: apsw.Connection, seqs: Sequence[int]) -> None:
    """Delete messages, of tasks or of producers, that the broker has confirmed."""
    # What was accepted is the broker's now, and the worker that runs it reports it.
    connection.execute(ACCEPTED_CONFIRMED, (json.dumps(seqs),))
    delete_confirmed(connection, seqs)


def claim(
    connection: apsw.Connection, *, limit: int, after: int, older_than: float, claimant: str, lease: float, now: float
) -> list[OutboxMessage]:
    """Return what a relay may publish now, oldest first; nothing while another relay holds the lease."""
    connection.execute(
        "INSERT INTO relay_lease (only_row, claimant, until) VALUES (1, ?1, ?2)"
        " ON CONFLICT DO UPDATE SET claimant = ?1, until = ?2 WHERE claimant = ?1 OR until <= ?3 OR until > ?4",
        (claimant, now + lease, now, now + max(lease, LONGEST_LEASE)),
    )
    if not connection.changes():
        return []
    return [_message(row) for row in connection.execute(OVERDUE, (now + _SLACK, after, now - older_than, limit))]


def release(connection: apsw.Connection, claimant: str) -> None:
    """Let another relay go on."""
    connection.execute("DELETE FROM relay_lease WHERE claimant = ?", (claimant,))


def backlog(connection: apsw.Connection) -> int:
    """Return how many producers' messages wait for the broker."""
    n: int = connection.execute("SELECT count(*) FROM outbox WHERE parent_id IS NULL").get
    return n


def any_row(connection: apsw.Connection) -> bool:
    """Return whether any message waits for the broker."""
    return connection.execute("SELECT 1 FROM outbox LIMIT 1").get is not None


def count(connection: apsw.Connection) -> int:
    """Return how many messages wait for the broker, those of tasks included."""
    n: int = connection.execute("SELECT count(*) FROM outbox").get
    return n


class FollowUp(NamedTuple):
    """A message that a task has sent and the broker has not confirmed; ``created_at`` in seconds since 1970, UTC."""

    created_at: float
    task_name: str
    queue_name: str
    message_id: str


def follow_ups(connection: apsw.Connection, task_id: str) -> list[FollowUp]:
    """Return what a task has sent and the broker has not confirmed, in order, for people."""
    query = "SELECT created_at, task_name, queue_name, message_id FROM outbox WHERE parent_id = ? ORDER BY seq"
    return [FollowUp(*row) for row in connection.execute(query, (task_id,))]


def _put(
    connection: apsw.Connection, message: OutboxMessage, parent_id: str | None, seq: int, now: float
) -> OutboxMessage:
    connection.execute(PUT, row(message, parent_id, seq, now))
    return _stored(message, parent_id, seq)


def _stored(message: OutboxMessage, parent_id: str | None, seq: int) -> OutboxMessage:
    return OutboxMessage(
        message_id=message.message_id, task_name=message.task_name, queue_name=message.queue_name, body=message.body,
        parent_id=parent_id, due_at=message.due_at, ordinal=message.ordinal, seq=seq,
    )  # fmt: skip


def _message(row: Sequence[Any]) -> OutboxMessage:
    message_id, task_name, queue_name, body, parent_id, due_at, ordinal, seq = row
    return OutboxMessage(
        message_id=message_id, task_name=task_name, queue_name=queue_name, body=body, parent_id=parent_id,
        due_at=due_at, ordinal=ordinal, seq=seq,
    )  # fmt: skip
