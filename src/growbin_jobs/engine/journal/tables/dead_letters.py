"""The table ``dead_letter``: messages that were given up, until a person retries or discards them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from growbin_jobs.engine.delivery.records import Dead, DeadLetterRecord, Finish, OutboxMessage
from growbin_jobs.engine.errors import NotFound
from growbin_jobs.engine.journal.tables import outbox
from growbin_jobs.engine.journal.tables.outbox import take_numbers

COLUMNS = "id, task_id, actor, queue, body, code, params, error, traceback, died_at, retried_at, discarded_at"
OPEN = "retried_at IS NULL AND discarded_at IS NULL"

#: A message that died again before its first death was seen by anybody is one dead letter.
PUT = f"""
INSERT INTO dead_letter (task_id, actor, queue, body, code, params, error, traceback, died_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) WHERE {OPEN} DO UPDATE SET
    actor = excluded.actor, queue = excluded.queue, body = excluded.body, code = excluded.code,
    params = excluded.params, error = excluded.error, traceback = excluded.traceback, died_at = excluded.died_at
"""  # noqa: S608 constants only

LIST = f"""
SELECT {COLUMNS} FROM dead_letter
WHERE id < ?1 AND (?2 IS NULL OR queue = ?2) AND (?3 IS NULL OR actor = ?3) AND (?4 IS NULL OR code = ?4)
  AND (?5 IS NULL OR died_at >= ?5) AND (?6 IS NULL OR died_at < ?6) AND (?7 OR ({OPEN}))
ORDER BY id DESC LIMIT ?8
"""  # noqa: S608 constants only


def record(connection: apsw.Connection, finish: Finish, dead: Dead) -> None:
    """Keep a message that was given up. Inside a transaction."""
    values = (
        finish.task_id, finish.task_name, finish.queue_name, dead.body, dead.code, dead.params, dead.error,
        dead.traceback, dead.died_at,
    )  # fmt: skip
    connection.execute(PUT, values)


def close(connection: apsw.Connection, task_id: str, *, now: float) -> None:
    """Note that a message ran again, so that it is not among the dead any more. Inside a transaction."""
    connection.execute(
        f"UPDATE dead_letter SET retried_at = ? WHERE task_id = ? AND {OPEN}",  # noqa: S608 constants only
        (now, task_id),
    )


def has_died(connection: apsw.Connection, task_id: str, died_at: float) -> bool:
    """Return whether a death of a message is known here already, open or dealt with."""
    query = "SELECT count(*) FROM dead_letter WHERE task_id = ? AND died_at = ?"
    return bool(connection.execute(query, (task_id, died_at)).get)


def find(
    connection: apsw.Connection,
    *,
    queue: str | None = None,
    actor: str | None = None,
    code: str | None = None,
    since: float | None = None,
    before: float | None = None,
    dealt_with: bool = False,
    below_id: int = 2**62,
    limit: int = 100,
) -> list[DeadLetterRecord]:
    """Return dead letters, newest first.

    Parameters:
      since, before: When they died, seconds since 1970, UTC.
      dealt_with: Also those that were retried or discarded.
      below_id: Go on behind the last one of the page before.
    """
    values = (below_id, queue, actor, code, since, before, dealt_with, limit)
    return [_letter(row) for row in connection.execute(LIST, values)]


def get(connection: apsw.Connection, letter_id: int) -> DeadLetterRecord:
    """Return one.

    Raises:
      NotFound: If there is none of that id.
    """
    query = f"SELECT {COLUMNS} FROM dead_letter WHERE id = ?"  # noqa: S608 constants only
    # As text, since a person may ask for a number that is larger than SQLite's.
    row = connection.execute(query, (str(letter_id),)).fetchone()
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id} in this journal.")
    return _letter(row)


def of_task(connection: apsw.Connection, task_id: str) -> list[DeadLetterRecord]:
    """Return all dead letters that a task has come to, oldest first."""
    query = f"SELECT {COLUMNS} FROM dead_letter WHERE task_id = ? ORDER BY id"  # noqa: S608 constants only
    return [_letter(row) for row in connection.execute(query, (task_id,))]


def count_open(connection: apsw.Connection) -> int:
    """Return how many dead letters nobody has retried or discarded."""
    n: int = connection.execute(f"SELECT count(*) FROM dead_letter WHERE {OPEN}").get  # noqa: S608 constants only
    return n


def dealt_with_since(connection: apsw.Connection, since: float) -> dict[str, float]:
    """Return the tasks whose dead letters were retried or discarded since then, and when; no task with an open one.

    Parameters:
      since: Seconds since 1970, UTC.
    """
    query = f"""
        SELECT task_id, max(ifnull(retried_at, 0), ifnull(discarded_at, 0)) AS done FROM dead_letter AS letter
        WHERE max(ifnull(retried_at, 0), ifnull(discarded_at, 0)) > ?
            AND NOT EXISTS (SELECT 1 FROM dead_letter WHERE task_id = letter.task_id AND {OPEN})
    """  # noqa: S608 constants only
    found: dict[str, float] = {}
    for task_id, done in connection.execute(query, (since,)):
        found[task_id] = max(done, found.get(task_id, 0.0))
    return found


def retry(connection: apsw.Connection, letter_id: int, *, body: bytes | None = None, now: float) -> OutboxMessage:
    """Put the message into the outbox again. Inside a transaction: it stays there until it is confirmed.

    Parameters:
      body: The message to send instead of the one that died (its retries counted anew, for instance).

    Returns:
      What to publish.

    Raises:
      NotFound: If there is none of that id, or it was retried or discarded before.
    """
    letter = get(connection, letter_id)
    _deal_with(connection, letter_id, "retried_at", now)
    message = OutboxMessage(
        message_id=letter.task_id, task_name=letter.actor, queue_name=letter.queue, body=body or letter.body
    )
    _revive(connection, letter.task_id)
    return outbox.accept(connection, message, seq=take_numbers(connection), now=now)


def discard(connection: apsw.Connection, letter_id: int, *, now: float) -> None:
    """Say that a dead letter stays dead. Inside a transaction.

    Raises:
      NotFound: If there is none of that id, or it was retried or discarded before.
    """
    get(connection, letter_id)
    _deal_with(connection, letter_id, "discarded_at", now)


def unsynced(connection: apsw.Connection, *, after: int = 0, limit: int) -> list[tuple[int, DeadLetterRecord]]:
    """Return dead letters that have changed since they were copied, each with the number of its change, in order.

    Parameters:
      after: Number of the last one of the page before.
    """
    query = f"""
        SELECT seq, {COLUMNS} FROM dead_letter WHERE copied_at IS NULL AND seq > ? ORDER BY seq LIMIT ?
    """  # noqa: S608 constants only
    return [(seq, _letter(row)) for seq, *row in connection.execute(query, (after, limit))]


def count_unsynced(connection: apsw.Connection, *, limit: int) -> int:
    """Return how many dead letters are to be copied, up to a limit."""
    query = "SELECT count(*) FROM (SELECT 1 FROM dead_letter WHERE copied_at IS NULL LIMIT ?)"
    n: int = connection.execute(query, (limit,)).get
    return n


def mark(connection: apsw.Connection, numbers: Iterable[int], *, at: float) -> None:
    """Note that dead letters are in the central database. One that has changed since has another number.

    Parameters:
      numbers: Of their changes.
      at: Seconds since 1970, UTC.
    """
    connection.executemany("UPDATE dead_letter SET copied_at = ? WHERE seq = ?", ((at, number) for number in numbers))


def find_death(connection: apsw.Connection, letter_id: int, task_id: str, died_at: float) -> DeadLetterRecord | None:
    """Return a dead letter if it still tells of the same death and nobody has dealt with it.

    Parameters:
      letter_id, task_id, died_at: As they were copied, the time to the microsecond.
    """
    query = f"""
        SELECT {COLUMNS} FROM dead_letter WHERE id = ? AND task_id = ? AND abs(died_at - ?) < 1e-5 AND {OPEN}
    """  # noqa: S608 constants only
    row = connection.execute(query, (letter_id, task_id, died_at)).fetchone()
    return None if row is None else _letter(row)


def retry_elsewhere(connection: apsw.Connection, letter_id: int, *, now: float) -> None:
    """Close a dead letter whose message another node sends again. Inside a transaction.

    Raises:
      NotFound: If there is none of that id, or it was retried or discarded before.
    """
    letter = get(connection, letter_id)
    _deal_with(connection, letter_id, "retried_at", now)
    _revive(connection, letter.task_id)


def _revive(connection: apsw.Connection, task_id: str) -> None:
    connection.execute(
        "UPDATE task_wal SET status = 'failed', crashes = 0, synced_at = NULL, seq = ? WHERE task_id = ?"
        " AND status <> 'completed'",
        (take_numbers(connection), task_id),
    )


def _deal_with(connection: apsw.Connection, letter_id: int, column: str, now: float) -> None:
    connection.execute(f"UPDATE dead_letter SET {column} = ? WHERE id = ? AND {OPEN}", (now, letter_id))  # noqa: S608
    if not connection.changes():
        raise NotFound(f"Dead letter {letter_id} was retried or discarded before.")


def _letter(row: Sequence[Any]) -> DeadLetterRecord:
    return DeadLetterRecord(*row)
