from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, Started, TaskState
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "task_queue.db"


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    """The journal's file, empty, for the parts that are SQL only. Every statement commits by itself."""
    connection = open_journal_file(path)
    yield connection
    connection.close()


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, node="node-1", worker="ai", free_floor=1)
    yield journal
    journal.close()


@pytest.fixture
def a_start() -> Callable[..., Started]:
    def make(task_id: str = "task", **changes: Any) -> Started:
        values: dict[str, Any] = {"task_name": "actor", "queue_name": "queue", "payload": "[]", "worker": "w"}
        return Started(task_id=task_id, **(values | {"started_at": 100.0} | changes))

    return make


@pytest.fixture
def an_end() -> Callable[..., Finish]:
    """An end of a run, completed unless told otherwise; a dead one gets its reason."""

    def make(task_id: str = "task", state: TaskState = TaskState.COMPLETED, **changes: Any) -> Finish:
        values: dict[str, Any] = {"task_name": "actor", "queue_name": "queue", "payload": "[1]", "worker": "w"}
        values |= {"started_at": 100.0, "completed_at": 101.0}
        if state is TaskState.DEAD:
            values["dead"] = Dead(body=b"m", code="c", params="{}", error="e", traceback="t", died_at=101.0)
        return Finish(task_id=task_id, state=state, **(values | changes))

    return make


@pytest.fixture
def a_message() -> Callable[..., OutboxMessage]:
    def make(message_id: str = "next", **changes: Any) -> OutboxMessage:
        return OutboxMessage(message_id=message_id, **({"task_name": "b", "queue_name": "q", "body": b"{}"} | changes))

    return make
