"""A journal of tasks as one writes it first: the peer of ours, for Celery."""

import sqlite3
import threading
import time


class Journal:
    """A row for each task, in WAL mode with ``synchronous=NORMAL`` like ours; one connection of the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def write(self, task_id: str, name: str, payload: str) -> None:
        """Write down that a task has ended, in a transaction of its own."""
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            row = (task_id, name, payload, "completed", time.time())
            self._connection.execute("INSERT OR REPLACE INTO task_wal VALUES (?, ?, ?, ?, ?)", row)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS task_wal"
            " (task_id TEXT PRIMARY KEY, task_name TEXT, payload TEXT, status TEXT, completed_at REAL)"
        )
        return connection
