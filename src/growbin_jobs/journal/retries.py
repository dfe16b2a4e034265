"""The table ``retry_queue``: which tasks wait for their retry, for people. The retry itself is the broker's."""

from __future__ import annotations

import apsw

from growbin_jobs.journal.records import Finish, TaskState

PUT = """
INSERT OR REPLACE INTO retry_queue (task_id, retry_count, next_retry_at, error, payload) VALUES (?, ?, ?, ?, ?)
"""


def record(connection: apsw.Connection, finish: Finish) -> None:
    """Note the retry of a failed task, or that there is none any more. Inside a transaction."""
    if finish.state == TaskState.FAILED:
        due_at = finish.completed_at if finish.due_at is None else finish.due_at
        connection.execute(PUT, (finish.task_id, finish.retry_count, due_at, finish.error, finish.payload))
    else:
        connection.execute("DELETE FROM retry_queue WHERE task_id = ?", (finish.task_id,))
