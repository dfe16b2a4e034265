"""Every run of a task in ``growbin-jobs tasks show``, each once."""

import json
import socket

import pytest

from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, Started, TaskState
from growbin_jobs.engine.journal.file import schema
from growbin_jobs.engine.journal.file.opening import open_journal_file
from growbin_jobs.engine.journal.tables import dead_letters, tasks

COMPLETED, FAILED, DEAD = TaskState.COMPLETED, TaskState.FAILED, TaskState.DEAD

CREATED = 1_000_000_000.0
WORKER = "n/ai/77"


class Past:
    """What a node's journal was told; times are seconds after the task was created."""

    def __init__(self, folder):
        self.path = folder / "data" / socket.gethostname() / "task_queue.db"
        self.connection = open_journal_file(self.path)

    def start(self, at, **fields):
        record = Started(
            task_id="t", task_name="actor", queue_name="queue", payload="[]", worker=WORKER, created_at=CREATED,
            started_at=CREATED + at, **fields,
        )  # fmt: skip
        tasks.started(self.connection, [record])

    def end(self, at, state, **fields):
        dead = Dead(body=b"{}", code="c", params="{}", error="e", traceback="", died_at=CREATED + at)
        record = Finish(
            task_id="t", task_name="actor", queue_name="queue", payload="[]", worker=WORKER, state=state,
            created_at=CREATED, started_at=CREATED + at - 1, completed_at=CREATED + at,
            dead=dead if state is DEAD else None, **fields,
        )  # fmt: skip
        tasks.finish(self.connection, record)

    def put_off(self, at, *, deferrals, **fields):
        retry = OutboxMessage(message_id="t", task_name="actor", queue_name="queue", body=b"{}")
        self.end(at, FAILED, deferrals=deferrals, deferred=True, outbox=(retry,), **fields)

    def crash(self, at):
        tasks.crashed(self.connection, [("t", "actor", "queue")], now=CREATED + at, pid=77)


@pytest.fixture
def past(tmp_path):
    made = Past(tmp_path)
    yield made
    made.connection.close()


@pytest.fixture
def history(invoke):
    """What happened to the task: seconds, event, detail; without what is still to come."""

    def ask():
        found = json.loads(invoke("tasks", "show", "t", "--json").stdout)["history"]
        events = [(_seconds(event["at"]), event["event"], event["detail"]) for event in found]
        return [event for event in events if event[1] not in ("created", "retry due", "to be sent")]

    return ask


def _seconds(at):
    minutes, seconds = at[14:16], at[17:19]
    return (int(minutes) - 46) * 60 + int(seconds) - 40  # CREATED is at 01:46:40


def test_every_run_is_shown_in_order_and_none_twice(past, history, invoke):
    past.end(2, FAILED, error="Boom", due_at=CREATED + 5)
    past.put_off(7, deferrals=0, retry_count=1, error="Later", due_at=CREATED + 60)
    past.start(61, retry_count=1, deferrals=1)
    past.crash(63)
    past.crash(65)  # at once, before its start was written
    past.end(68, DEAD, retry_count=1, deferrals=1, error="Enough")
    (letter,) = dead_letters.find(past.connection)
    dead_letters.retry(past.connection, letter.id, now=CREATED + 70)
    past.end(75, COMPLETED, deferrals=2)

    died = tasks.CRASH_ERROR
    assert history() == [
        (1, "started", f"by {WORKER}"),
        (2, "failed", f"Boom, by {WORKER}, next due 2001-09-09T01:46:45.000+00:00"),
        (6, "started", f"by {WORKER}, retry 1"),
        (7, "deferred", f"Later, by {WORKER}, next due 2001-09-09T01:47:40.000+00:00"),
        (61, "started", f"by {WORKER}, retry 1"),
        (63, "crashed", f"{died}, by {WORKER}"),
        (65, "crashed", died),
        (67, "started", f"by {WORKER}, retry 1"),
        (68, "dead", f"Enough, by {WORKER}"),
        (68, "given up", "c, dead letter 1"),
        (70, "sent once more", "dead letter 1"),
        (74, "started", f"by {WORKER}"),
        (75, "completed", ""),
    ]
    shown = " ".join(invoke("tasks", "show", "t").stdout.replace("│", "").split())
    for words in (
        f"01:46:42.000 failed Boom, by {WORKER}, next due",
        "deferred Later",
        "crashed its worker",
        "dead Enou",
    ):
        assert words in shown


@pytest.mark.parametrize("state", [FAILED, DEAD])
def test_the_last_run_is_shown_once_while_its_row_repeats_it(past, history, state):
    past.end(2, state, error="Boom")
    assert [event for _, event, _ in history()] == ["started", state.value] + ["given up"] * (state is DEAD)


def test_a_retry_that_runs_is_shown_behind_what_came_before(past, history):
    past.end(2, FAILED, error="Boom")
    past.start(9, retry_count=1)
    assert [event[:2] for event in history()] == [(1, "started"), (2, "failed"), (9, "started")]


def test_a_start_is_not_shown_again_when_it_crashed(past, history):
    past.start(1)
    past.crash(2)
    assert [event[:2] for event in history()] == [(1, "started"), (2, "crashed")]


def test_a_journal_that_a_worker_of_an_older_version_wrote_is_shown_as_it_is(tmp_path, monkeypatch, history):
    with monkeypatch.context() as older:
        older.setattr(schema, "STEPS", schema.STEPS[:1])
        past = Past(tmp_path)
    past.start(1)
    past.connection.execute(
        "UPDATE task_wal SET status = 'failed', completed_at = ?, error = 'Boom', crashes = 2", (CREATED + 2,)
    )
    expected = [(1, "started", f"by {WORKER}"), (2, "failed", "Boom"), (2, "its worker died", "2 times")]

    assert history() == expected
    schema.migrate(past.connection)
    assert history() == expected
    past.crash(9)  # the third, and the first that is written down
    assert [event[:2] for event in history()] == [*(event[:2] for event in expected), (9, "crashed")]
    assert "2 times" in str(history())
    past.connection.close()
