"""Numbered changes of tasks: which of them the central database has not got yet. ``central/sync`` copies them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw

from growbin_jobs.engine.delivery.records import JournalTask
from growbin_jobs.engine.journal.tables import sync_log
from growbin_jobs.engine.journal.tables.reader import TASK_COLUMNS, as_task

#: Bytes of a page, about.
PAGE_SIZE = 16_000_000

#: Backlogs are counted up to here, so that asking stays cheap.
COUNT_LIMIT = 1_000_000

UNSYNCED = f"""
SELECT {TASK_COLUMNS} FROM task_wal WHERE synced_at IS NULL AND seq > ? ORDER BY seq LIMIT ?
"""  # noqa: S608 constants only

#: Columns of a page before those that ``rendering`` says.
HEAD = 4

PAGE = """
SELECT seq, task_id, octet_length(payload) + ifnull(octet_length(result), 0), CAST(completed_at / 60 AS INTEGER),
    {rendering} FROM task_wal
WHERE synced_at IS NULL AND seq > :after ORDER BY seq LIMIT :limit
"""

_MARKED = "synced_at IS NULL AND seq > :after AND seq <= :last"
_BUT = " AND task_id NOT IN (SELECT value FROM json_each(:failed))"
MARK = f"UPDATE task_wal SET synced_at = :at WHERE {_MARKED}"  # noqa: S608 constants only

#: A file that was restored from a backup must not give numbers out again that were given since.
_ADVANCE = "UPDATE change_number SET seq = max(seq, CAST(unixepoch('subsec') * 1000000 AS INTEGER))"

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks that are to be copied, by change number.

    Attributes:
      journal: The file that they are in.
      node: Whose it is.
      at: When they are copied, seconds since 1970, UTC.
      rows: Each has its number, its id, its bytes, the minute since 1970 of its end, and what the ``rendering`` says.
    """

    journal: Path
    node: str
    at: float
    rows: Sequence[Row]

    @property
    def last(self) -> int:
        """The number of its last row."""
        number: int = self.rows[-1][0]
        return number

    def minutes(self) -> set[int]:
        """Return the minutes since 1970 in which these tasks ended."""
        return {row[HEAD - 1] for row in self.rows} - {None}

    def halves(self) -> tuple[Page, Page]:
        """Return it in two pieces."""
        middle = len(self.rows) // 2
        return replace(self, rows=self.rows[:middle]), replace(self, rows=self.rows[middle:])


def advance_numbers(connection: apsw.Connection) -> None:
    """Continue at the present microsecond where the numbers are behind it."""
    connection.execute(_ADVANCE)


def last_number(connection: apsw.Connection) -> int:
    """Return the number of the latest change."""
    number: int = connection.execute("SELECT seq FROM change_number").get
    return number


def unsynced(connection: apsw.Connection, *, after: int = 0, limit: int = 1000) -> list[JournalTask]:
    """Return tasks that changed since they were last copied, in the order of their changes.

    Parameters:
      after: Change number of the last row of the page before.
    """
    return [as_task(row) for row in connection.execute(UNSYNCED, (after, limit))]


def oldest_unsynced(connection: apsw.Connection) -> JournalTask | None:
    """Return the task whose change waits longest for the central database."""
    return next(iter(unsynced(connection, limit=1)), None)


def count_unsynced(connection: apsw.Connection, *, limit: int = COUNT_LIMIT) -> int:
    """Return how many tasks are to be copied, up to a limit."""
    query = "SELECT count(*) FROM (SELECT 1 FROM task_wal WHERE synced_at IS NULL LIMIT ?)"
    n: int = connection.execute(query, (limit,)).get
    return n


def count_unchanged(connection: apsw.Connection, numbers: Mapping[str, int]) -> int:
    """Return how many of these tasks, given with the numbers of their changes, are to be copied as they were then."""
    if not numbers:
        return 0
    query = """
        SELECT count(*) FROM json_each(?) AS known JOIN task_wal ON task_id = known.key AND seq = known.value
        WHERE synced_at IS NULL
    """
    n: int = connection.execute(query, (json.dumps(dict(numbers)),)).get
    return n


def page(
    connection: apsw.Connection, rendering: str, *, after: int, limit: int, journal: Path, node: str, at: float
) -> Page:
    """Return the next tasks that are to be copied.

    Parameters:
      rendering: SQL of what is selected of each; it may use the parameters ``:node`` and ``:at``.
      journal, node, at: See :class:`Page`.
      after: Change number of the last row of the page before.
      limit: Rows at most; a page ends earlier at :data:`PAGE_SIZE` bytes.
    """
    rows, size = [], 0
    values = {"after": after, "limit": limit, "node": node, "at": at}
    for row in connection.execute(PAGE.format(rendering=rendering), values):
        rows.append(row)
        size += row[2]
        if size > PAGE_SIZE:
            break
    return Page(journal, node, at, rows)


def mark(connection: apsw.Connection, after: int, last: int, failed: Sequence[str], *, at: float) -> int:
    """Note that tasks are in the central database. One that has changed since has a higher number: it is copied again.

    Parameters:
      after, last: Their change numbers: from behind the one up to the other.
      failed: Ids of tasks among them that are not there.
      at: Seconds since 1970, UTC.

    Returns:
      How many were marked.
    """
    values = {"after": after, "last": last, "failed": json.dumps(failed), "at": at}
    but = _BUT if failed else ""
    sync_log.copied(connection, _MARKED + but, values)
    connection.execute(MARK + but, values)
    return connection.changes()


def moment(task: JournalTask) -> float:
    """Return when a task started or ended, as far as its row says; seconds since 1970, UTC."""
    return task.completed_at or task.started_at or task.created_at
