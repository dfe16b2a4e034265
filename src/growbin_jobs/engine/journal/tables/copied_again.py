"""Rows that are to be copied once more: the central database was restored to a moment before it had got them."""

from __future__ import annotations

import apsw

#: Rows that one statement looks at, so that workers wait for it only briefly.
CHUNK = 20_000

#: Each table with the column that says when its row was copied.
TABLES = (("task_wal", "synced_at"), ("attempt", "copied_at"), ("dead_letter", "copied_at"))

_LAST = "SELECT max(rowid) FROM (SELECT rowid FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?)"
_UNMARK = "UPDATE {table} SET {column} = NULL WHERE rowid > ? AND rowid <= ? AND {column} >= ?"

#: Of the latest rows only: no index has the time of the copy.
_COPIED = """
SELECT task_id, synced_at FROM (SELECT * FROM task_wal ORDER BY rowid DESC LIMIT ?2)
WHERE synced_at > ?1 AND coalesce(completed_at, created_at) > ?1 AND status IN ('completed', 'dead')
"""


def latest_copied(connection: apsw.Connection, *, since: float, limit: int) -> dict[str, float]:
    """Return those of the latest tasks that have ended and are in the central database, each with when it was copied.

    Parameters:
      limit: How many tasks are looked at.
      since: Of the copy and of the end, seconds since 1970, UTC: what ended long ago may have been deleted there.
    """
    return dict(connection.execute(_COPIED, (since, limit)))


def unmark(connection: apsw.Connection, table: str, column: str, *, since: float, after: int) -> tuple[int, int | None]:
    """Note of the next rows of a table that the central database lacks what it got since a moment.

    Parameters:
      table, column: One of :data:`TABLES`.
      since: Seconds since 1970, UTC.
      after: What the call before returned second; 0 at first.

    Returns:
      How many rows are to be copied again, and where to go on; None at the end.
    """
    last: int | None = connection.execute(_LAST.format(table=table), (after, CHUNK)).get
    if last is None:
        return 0, None
    connection.execute(_UNMARK.format(table=table, column=column), (after, last, since))
    return connection.changes(), last
