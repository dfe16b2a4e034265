"""The table ``retry_queue``: which tasks wait for their retry, for people. The retry itself is the broker's."""

from __future__ import annotations

import apsw

from growbin_jobs.engine.delivery.records import Finish

PUT = """
INSERT OR REPLACE INTO retry_queue (task_id, retry_count, next_retry_at, error, payload) VALUES (?, ?, ?, ?, ?)
"""


def record(connection: apsw.Connection, finish: Finish) -> None:
    """Note the retry of a failed task. Inside a transaction."""
    due_at = finish.completed_at if finish.due_at is None else finish.due_at
    connection.execute(PUT, (finish.task_id, finish.retry_count, due_at, finish.error, finish.payload))


def forget(connection: apsw.Connection, task_id: str) -> None:
    """Note that a task does not wait for a retry any more. Inside a transaction."""
    connection.execute("DELETE FROM retry_queue WHERE task_id = ?", (task_id,))
