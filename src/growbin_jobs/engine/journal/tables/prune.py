"""Deletes old rows in small transactions, so that no task waits long for the lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import apsw

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.records import TaskState

#: Rows of one transaction.
BATCH = 200

#: Runs a function in a transaction of its own.
Write = Callable[[Callable[[apsw.Connection], int]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long rows are kept, in seconds.

    A task goes only after it was synced, with an empty outbox, and not before its dead letter.
    """

    tasks: float = 7 * 86_400.0
    dead_letters: float = 90 * 86_400.0
    logs: float = 86_400.0


#: A window of rows by age. Rows that must stay are looked at once a run, and never all in one transaction.
_WINDOW_END = """
SELECT created_at FROM task_wal WHERE status = ?1 AND created_at > ?2 AND created_at < ?3
ORDER BY created_at LIMIT 1 OFFSET ?4
"""
_DOOMED = """
status = ?1 AND created_at > ?2 AND created_at <= ?3 AND synced_at < ?4
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE parent_id = task_wal.task_id)
    AND NOT EXISTS (SELECT 1 FROM dead_letter
                    WHERE task_id = task_wal.task_id AND retried_at IS NULL AND discarded_at IS NULL)
"""
_TASKS = f"DELETE FROM task_wal WHERE {_DOOMED}"  # noqa: S608 constants only

#: Of those tasks. CROSS: SQLite must not begin with the attempts, which may be more than a portion.
_ATTEMPTS = f"""
DELETE FROM attempt WHERE id IN (
    SELECT attempt.id FROM task_wal CROSS JOIN attempt ON attempt.task_id = task_wal.task_id WHERE {_DOOMED} LIMIT ?5
)
"""  # noqa: S608 constants only

#: ?1 is the time before which rows go, ?2 the batch.
_LETTERS = """
DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter WHERE died_at < ?1 ORDER BY id LIMIT ?2)
"""
_SYNC_LOG = """
DELETE FROM sync_log WHERE id IN (SELECT id FROM sync_log ORDER BY id LIMIT ?2) AND synced_at < ?1
"""
_RATE_LOG = """
DELETE FROM rate_limit_log WHERE rowid IN (SELECT rowid FROM rate_limit_log ORDER BY rowid LIMIT ?2) AND timestamp < ?1
"""
_EXPIRED = """
DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE created_at + ttl < ?1 LIMIT ?2)
"""
_RETRIES = """
DELETE FROM retry_queue WHERE task_id IN (SELECT task_id FROM retry_queue WHERE next_retry_at < ?1 LIMIT ?2)
"""
_SENT = "DELETE FROM sent WHERE seq IN (SELECT seq FROM sent ORDER BY seq LIMIT ?2) AND created_at < ?1"
_LEDGERS = "DELETE FROM charged_ledger WHERE name IN (SELECT name FROM charged_ledger WHERE charged_at < ?1 LIMIT ?2)"


def prune(
    write: Write,
    retention: Retention,
    *,
    now: float,
    seconds: float = 600.0,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Delete what is older than it may be and give free pages back to the disk.

    After each portion it leaves the file to the others for as long as the portion took.

    Parameters:
      write: Such as :meth:`growbin_jobs.engine.journal.journal.Journal.write`.
      seconds: Stop then; the next call goes on.
      stopped: Asked after each portion; stop when it says True.

    Returns:
      Deleted rows by table, and ``pages`` given back.
    """
    turns = _Turns(write, seconds, stopped)
    deleted = {}
    for table, statement, before in _statements(retention, now):
        deleted[table] = turns.repeat(statement, (before, BATCH))
    deleted["task_wal"] = deleted["attempt"] = 0
    for status in (TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD, TaskState.RUNNING):
        window = _Window(status, now - retention.tasks)
        while turns.left and not window.finished:
            turns.run(window.delete_next)
        deleted["task_wal"] += window.tasks
        deleted["attempt"] += window.attempts
    for table, rows in deleted.items():
        if rows:
            events.PRUNED.emit(table=table, rows=rows)
    deleted["pages"] = turns.repeat(f"PRAGMA incremental_vacuum({BATCH})", ())
    return deleted


class _Turns:
    """Takes turns with everybody else, until the time is over."""

    def __init__(self, write: Write, seconds: float, stopped: Callable[[], bool]) -> None:
        self._write = write
        self._end = time.monotonic() + seconds
        self._stopped = stopped

    @property
    def left(self) -> bool:
        """Is there time left?"""
        return time.monotonic() < self._end and not self._stopped()

    def run(self, call: Callable[[apsw.Connection], int]) -> int:
        """Run a call in a transaction, and then leave the file to the others for as long."""
        begin = time.monotonic()
        done = self._write(call)
        time.sleep(time.monotonic() - begin)
        return done

    def repeat(self, statement: str, values: tuple[float, ...]) -> int:
        """Run a statement that deletes a batch, or frees pages, until there is nothing left or no time."""

        def run(connection: apsw.Connection) -> int:
            free: int = connection.pragma("freelist_count")
            connection.execute(statement, values).fetchall()
            return connection.changes() if values else free - int(connection.pragma("freelist_count"))

        total = 0
        while self.left:
            done = self.run(run)
            total += done
            if done < BATCH:
                break
        return total


class _Window:
    """Walks over the tasks of one state, oldest first."""

    def __init__(self, status: TaskState, before: float) -> None:
        self.finished = False
        self.tasks = self.attempts = 0  # deleted
        self._status = status
        self._before = before
        self._after = -1.0

    def delete_next(self, connection: apsw.Connection) -> int:
        """Delete the attempts of the next tasks, and with the last of them the tasks; return how many rows."""
        values = (self._status, self._after, self._before, BATCH - 1)
        end: float | None = connection.execute(_WINDOW_END, values).get
        last = self._before if end is None else end
        doomed = (self._status, self._after, last, self._before)
        connection.execute(_ATTEMPTS, (*doomed, BATCH))
        attempts = connection.changes()
        self.attempts += attempts
        if attempts == BATCH:  # perhaps not all
            return attempts
        connection.execute(_TASKS, doomed)
        tasks = connection.changes()
        self.tasks += tasks
        self.finished = end is None
        self._after = last
        return attempts + tasks


def _statements(retention: Retention, now: float) -> Iterator[tuple[str, str, float]]:
    yield "dead_letter", _LETTERS, now - retention.dead_letters
    yield "sent", _SENT, now - retention.tasks
    yield "sync_log", _SYNC_LOG, now - retention.logs
    yield "rate_limit_log", _RATE_LOG, now - retention.logs
    yield "gpt_cache", _EXPIRED.format(table="gpt_cache", key="cache_key"), now
    yield "file_cache", _EXPIRED.format(table="file_cache", key="key"), now
    yield "retry_queue", _RETRIES, now - retention.logs
    yield "charged_ledger", _LEDGERS, now - retention.logs
