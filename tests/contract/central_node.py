"""A node's journal and its copy to the central database, with a clock of the test's own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from growbin_jobs.engine.central.sync import Copied, Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, Started, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, outbox, tasks

START = datetime(2026, 11, 21, 12, tzinfo=UTC)

MESSAGE = json.dumps(
    {
        "queue_name": "user_input", "actor_name": "upload_image", "args": [1], "kwargs": {}, "message_id": "t",
        "options": {"retries": 2}, "message_timestamp": 1,
    }
).encode()  # fmt: skip


class Node:
    """A journal, and what happens on its node at a second of the test's time."""

    def __init__(self, folder: Path, name: str, central: Tasks, **options: Any) -> None:
        self.journal = Journal(folder / name / "task_queue.db", node=name, worker="test", free_floor=1)
        self.sync = Sync(self.journal, central, clock=lambda: START.timestamp() + 1000, **options)

    def accepted(self, task_id: str, second: float) -> int:
        """Take over a producer's message, and return the number of the debt."""
        message = OutboxMessage(message_id=task_id, task_name="upload_image", queue_name="user_input", body=b"{}")
        at = START.timestamp() + second
        return self.journal.write(lambda connection: tasks.accept(connection, message, "{}", now=at)).seq

    def started(self, task_id: str, second: float, **fields: Any) -> None:
        record = Started(
            task_id=task_id, task_name="upload_image", queue_name="user_input", payload='{"args": [1]}',
            worker=self.journal.worker, started_at=START.timestamp() + second, **fields,
        )  # fmt: skip
        self.journal.write(lambda connection: tasks.started(connection, [record]))

    def ended(self, task_id: str, state: str, second: float, **fields: Any) -> None:
        end = START.timestamp() + second
        dead = Dead(body=b"{}", code="worker_killed", params="{}", error="e", traceback="t", died_at=end)
        values: dict[str, Any] = {
            "task_name": "upload_image", "queue_name": "user_input", "payload": '{"args": [1]}',
            "worker": self.journal.worker, "started_at": end - 0.5, "completed_at": end,
            "dead": dead if state == "dead" else None,
        }  # fmt: skip
        record = Finish(task_id=task_id, state=TaskState(state), **values | fields)
        self.journal.write(lambda connection: tasks.finish(connection, record))

    def retried_by_a_person(self, letter: int) -> None:
        self.journal.write(lambda connection: dead_letters.retry(connection, letter, now=START.timestamp()))

    def copy(self) -> Copied:
        return self.sync.run_once()

    def crashed(self, task_id: str, second: float) -> None:
        """Find that the process that ran a task is dead."""
        start = (task_id, "upload_image", "user_input")
        self.journal.write(lambda c: tasks.crashed(c, [start], now=START.timestamp() + second))

    def sent(self, parent_id: str, task_id: str, second: float, *, due: float | None = None) -> None:
        """Complete a task that sends another one, and let the broker confirm that."""
        due_at = None if due is None else START.timestamp() + due
        body = json.dumps({"args": [task_id]}).encode()
        message = OutboxMessage(message_id=task_id, task_name="classify", queue_name="vision", body=body, due_at=due_at)
        self.ended(parent_id, "completed", second, outbox=(message,))
        stored = self.journal.read(lambda connection: outbox.of_task(connection, parent_id))
        self.journal.write(lambda connection: outbox.delete_confirmed(connection, [each.seq for each in stored]))


@contextmanager
def nodes(folder: Path, central: Tasks) -> Iterator[Callable[..., Node]]:
    """Return what makes a node from its name and the options of its copy; the journals are closed at the end."""
    made: list[Node] = []

    def make(name: str, **options: Any) -> Node:
        made.append(Node(folder, name, central, **options))
        return made[-1]

    yield make
    for node in made:
        node.journal.close()


def death(second: float, **changes: Any) -> Dead:
    at = START.timestamp() + second
    dead = Dead(
        body=MESSAGE, code="retries_exhausted", params='{"attempts": 3}', error="ValueError", traceback="app.py:7 in f",
        died_at=at,
    )  # fmt: skip
    return dataclasses.replace(dead, **changes)
