"""A node's journal with a past, and the central database, both in files of this test."""

import time

import pytest
from dramatiq import Message
from tests.upgraded import upgrade

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks
from growbin_jobs.models import SCHEMA


class Node:
    """A journal, and what it is told."""

    def __init__(self, folder, name):
        self.name = name
        self.file = folder / name / "task_queue.db"
        self.now = time.time()
        self.journal = self.open()

    def open(self):
        return Journal(self.file, node=self.name, worker="test", free_floor=1)

    def finish(self, task_id, state="completed", *, body=None, params="{}", code="retries_exhausted", **fields):
        message = Message(
            queue_name="user_input", actor_name="upload_image", args=("u1",), kwargs={}, message_id=task_id,
            options={"retries": 3},
        )  # fmt: skip
        encoded = message.encode() if body is None else body
        dead = Dead(body=encoded, code=code, params=params, error="Boom", traceback="T", died_at=self.now)
        fields = {"task_name": "upload_image", "payload": "{}"} | fields
        record = Finish(
            task_id=task_id, queue_name="user_input", state=TaskState(state), worker="n/storage/1",
            started_at=self.now - 1.5, completed_at=self.now, dead=dead if state == "dead" else None, **fields,
        )  # fmt: skip
        self.journal.write(lambda connection: tasks.finish(connection, record))

    def accept(self, message_id="m"):
        message = OutboxMessage(message_id=message_id, task_name="a", queue_name="user_input", body=b"{}")
        self.journal.accept(message, "{}")


@pytest.fixture
def node(tmp_path):
    made = Node(tmp_path, "n1")
    made.journal.lookup([])  # makes the file
    yield made
    made.journal.close()


@pytest.fixture
def central(tmp_path):
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=2, timeout=5)
    upgrade(database, SCHEMA)
    yield Tasks(database)
    database.close()
