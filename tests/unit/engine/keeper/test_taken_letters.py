"""What people decide about dead letters in the central database, as the keepers carry it out."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tests.upgraded import upgrade

from growbin_jobs.engine.central.dead_letter_rows import Action
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA
from growbin_jobs.engine.central.workers import SILENCE, WorkerGroup, Workers
from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, outbox, reader, tasks
from growbin_jobs.engine.keeper import taken_letters
from growbin_jobs.engine.keeper.taken_letters import TakenLetters

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def body(task_id):
    message = {
        "queue_name": "q", "actor_name": "a", "args": [], "kwargs": {}, "options": {"retries": 3},
        "message_id": task_id, "message_timestamp": 1,
    }  # fmt: skip
    return json.dumps(message).encode()


class Keeper:
    """A node's journal, its copy, and the job."""

    def __init__(self, folder, name, database, clock):
        self.name, self.database, self.clock = name, database, clock
        self.journal = Journal(folder / name / "task_queue.db", node=name, worker="keeper", free_floor=1)
        self.sync = Sync(self.journal, Tasks(database))
        self.sent = 0
        lost = Lost(database, embedded=False)
        self.job = TakenLetters(self.journal, DeadLetters(database), lost, self._send, clock=lambda: clock[0])

    def _send(self):
        self.sent += 1

    def beat(self):
        at = datetime.fromtimestamp(self.clock[0], UTC)
        group = WorkerGroup(
            node=self.name, group_name="g", version="1", pids=[1], processes=1, threads=1, queues=["q"], running=0,
            unsynced=0, owed=0, lag=0.0, started_at=at, seen_at=at,
        )  # fmt: skip
        Workers(self.database).report(self.name, [group], unsynced=0, owed=0, at=at)

    def dies(self, task_id, second=1.0):
        at = START.timestamp() + second
        dead = Dead(body=body(task_id), code="c", params="{}", error="e", traceback="t", died_at=at)
        end = Finish(
            task_id=task_id, task_name="a", queue_name="q", payload="{}", state=TaskState.DEAD, worker="w",
            started_at=at, completed_at=at, dead=dead,
        )  # fmt: skip
        self.journal.write(lambda connection: tasks.finish(connection, end))
        self.sync.run_once()

    def messages(self):
        """Return what the outbox has."""
        return self.journal.write(
            lambda connection: outbox.claim(
                connection, limit=10, after=0, older_than=0, claimant="test", lease=0, now=START.timestamp()
            )
        )

    def open_letters(self):
        return [each.task_id for each in self.journal.read(dead_letters.find)]

    def state(self, task_id):
        row = self.journal.read(lambda connection: reader.task(connection, task_id))
        return None if row is None else row.status


@pytest.fixture
def clock():
    return [START.timestamp() + 10]


@pytest.fixture
def database(tmp_path):
    opened = open_database(None, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(opened, ENGINE_SCHEMA)
    yield opened
    opened.close()


@pytest.fixture
def nodes(tmp_path, database, clock):
    made = [Keeper(tmp_path, name, database, clock) for name in ("a", "b")]
    for node in made:
        node.beat()
    yield made
    for node in made:
        node.journal.close()


def decide(database, action=Action.RETRY):
    [letter] = DeadLetters(database).list()
    assert DeadLetters(database).mark(letter.id, action, by="kim", at=START)
    return letter.id


def test_the_node_that_has_the_letter_sends_its_message_and_closes_it(database, nodes):
    a, b = nodes
    a.dies("t")
    letter = decide(database)

    assert b.job.run_once() == {}  # the other one lives
    assert a.job.run_once() == {"carried_out": 1}

    [message] = a.messages()
    assert (message.message_id, json.loads(message.body)["options"]) == ("t", {"retries": 0, "deferrals": 1})
    assert (a.open_letters(), a.state("t"), a.sent, b.messages()) == ([], TaskState.FAILED, 1, [])
    done = DeadLetters(database).get(letter)
    assert (done.carried_by, done.taken_by, done.done_at is not None) == ("a", "kim", True)
    assert Tasks(database).get("t").status is TaskState.FAILED
    assert (a.job.run_once(), b.job.run_once()) == ({}, {})


def test_a_discarded_letter_sends_nothing(database, nodes):
    a, _ = nodes
    a.dies("t")
    letter = decide(database, Action.DISCARD)

    assert a.job.run_once() == {"carried_out": 1}

    assert (a.messages(), a.open_letters(), a.state("t")) == ([], [], TaskState.DEAD)
    assert DeadLetters(database).get(letter).discarded_at is not None
    assert Tasks(database).get("t").status is TaskState.DEAD


def test_another_node_sends_for_one_that_is_gone_which_closes_its_letter_when_it_is_back(
    database, nodes, clock, monkeypatch
):
    a, b = nodes
    a.dies("t")
    letter = decide(database)
    clock[0] += SILENCE.total_seconds() + 1
    b.beat()

    assert b.job.run_once() == {"carried_out": 1}

    [message] = b.messages()
    assert (message.message_id, message.queue_name, message.parent_id) == ("t", "q", None)
    assert (DeadLetters(database).get(letter).carried_by, a.open_letters()) == ("b", ["t"])
    assert Tasks(database).get("t").status is TaskState.FAILED  # though the node that said dead is gone

    a.beat()
    assert a.job.run_once() == {"closed": 1}
    assert (a.open_letters(), a.state("t"), a.messages()) == ([], TaskState.FAILED, [])
    a.sync.run_once()
    assert DeadLetters(database).get(letter).retried_at is not None
    monkeypatch.setattr(taken_letters, "LOOK_BACK", 0.0)
    assert a.job.run_once() == {}


def test_a_message_that_has_died_once_more_is_another_matter(database, nodes):
    a, _ = nodes
    a.dies("t", 1)
    letter = decide(database)
    at = START.timestamp() + 5
    a.journal.write(lambda c: c.execute("UPDATE dead_letter SET died_at = ?, error = 'again'", (at,)))

    assert a.job.run_once() == {}

    assert (a.messages(), a.open_letters()) == ([], ["t"])
    a.sync.run_once()
    again = DeadLetters(database).get(letter)
    assert (again.is_open, again.error, again.died_at) == (True, "again", START + timedelta(seconds=5))


def test_what_a_person_has_done_on_the_node_before_is_not_done_twice(database, nodes):
    a, _ = nodes
    a.dies("t")
    letter = decide(database)
    a.journal.write(lambda connection: dead_letters.discard(connection, 1, now=START.timestamp()))

    assert a.job.run_once() == {"carried_out": 1}

    assert a.messages() == []
    assert DeadLetters(database).get(letter).done_at is not None


def test_a_node_whose_journal_was_made_anew_sends_all_the_same(database, nodes):
    a, _ = nodes
    a.dies("t")
    decide(database)
    a.journal.write(lambda connection: connection.execute("DELETE FROM dead_letter"))

    assert a.job.run_once() == {"carried_out": 1}
    assert [each.message_id for each in a.messages()] == ["t"]


def test_a_keeper_that_is_killed_between_sending_and_noting_goes_on(database, nodes, monkeypatch):
    a, _ = nodes
    a.dies("t")
    letter = decide(database)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "done", killed)
        with pytest.raises(KeyboardInterrupt):
            a.job.run_once()
    assert a.job.run_once() == {"carried_out": 1}

    assert len(a.messages()) == 1
    assert DeadLetters(database).get(letter).done_at is not None


def test_what_one_node_has_begun_another_one_does_only_when_that_is_gone(database, nodes, clock):
    a, b = nodes
    a.dies("t")
    letter = decide(database)
    seen = DeadLetters(database).get(letter)
    assert DeadLetters(database).carry(seen, node="b")

    assert not DeadLetters(database).carry(seen, node="a")
    assert a.job.run_once() == {}
    clock[0] += SILENCE.total_seconds() + 1
    a.beat()
    assert a.job.run_once() == {"carried_out": 1}
    assert (len(a.messages()), b.messages(), b.job.run_once()) == (1, [], {})


def test_a_decision_whose_time_has_not_come_is_looked_for_again_though_nobody_writes(database, nodes, clock):
    a, _ = nodes
    a.dies("t")
    again = []
    a.job.changes = SimpleNamespace(forget=lambda: again.append(clock[0]))
    assert (a.job.run_once(), again) == ({}, [])
    [letter] = DeadLetters(database).list()
    effect_at = datetime.fromtimestamp(clock[0] + 10, UTC)
    assert DeadLetters(database).mark(letter.id, Action.RETRY, by="kim", at=START, effect_at=effect_at)
    assert (a.job.run_once(), again) == ({}, clock)
    clock[0] += 10
    assert a.job.run_once() == {"carried_out": 1}
