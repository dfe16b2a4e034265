"""What each job of the keeper does, once."""

import os
import time

import pytest
from dramatiq.errors import BrokerConnectionError
from tests.upgraded import upgrade

from growbin_jobs.engine import events
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, Started, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import outbox, tasks
from growbin_jobs.engine.journal.tables.outbox import take_numbers
from growbin_jobs.engine.journal.tables.prune import Retention
from growbin_jobs.engine.keeper.heartbeat import Heartbeat
from growbin_jobs.engine.keeper.jobs import Checkpoint, Prune
from growbin_jobs.engine.keeper.send_outbox import SendOutbox, Sent
from growbin_jobs.engine.node.presence import Presence, WorkerProcess
from growbin_jobs.models import SCHEMA


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "n1" / "task_queue.db", node="n1", worker="keeper", free_floor=1)
    yield opened
    opened.close()


@pytest.fixture
def database(tmp_path):
    opened = open_database(None, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(opened, SCHEMA)
    yield opened
    opened.close()


def accept(journal, *ids):
    for message_id in ids:
        owed = OutboxMessage(message_id=message_id, task_name="a", queue_name="q", body=message_id.encode())
        journal.accept(owed, "{}")


def add(journal, message_id, *, seconds_ago):
    owed = OutboxMessage(message_id=message_id, task_name="a", queue_name="q", body=message_id.encode())

    def write(connection):
        now = time.time() - seconds_ago
        outbox.add(connection, "parent", (owed,), first_seq=take_numbers(connection), now=now)

    journal.write(write)


# --- relay


class TakesAll:
    """A broker that takes everything but what stands for an error."""

    def __init__(self, **errors):
        self.sent, self._errors = [], errors

    def forward(self, messages):
        self.sent += [message.message_id for message in messages if message.message_id not in self._errors]
        return [self._errors.get(message.message_id) for message in messages]


def test_what_is_owed_is_sent_in_order_and_paid(journal):
    ids = [f"m{n:03}" for n in range(250)]  # some pages
    accept(journal, *ids)
    broker = TakesAll()

    assert SendOutbox(journal, broker.forward, 30.0).run_once() == Sent(250)

    assert broker.sent == ids
    assert journal.backlog() == 0


def test_what_a_worker_is_about_to_send_is_left_to_it(journal):
    add(journal, "young", seconds_ago=10)
    add(journal, "old", seconds_ago=40)
    broker = TakesAll()
    relay = SendOutbox(journal, broker.forward, 30.0)

    assert relay.run_once() == Sent(1)
    assert relay.send(0.0) == Sent(1)
    assert broker.sent == ["old", "young"]


def test_what_was_sent_before_the_broker_went_away_is_paid_and_the_rest_stays(journal):
    accept(journal, "a", "b", "c")
    relay = SendOutbox(journal, TakesAll(b=BrokerConnectionError("closed")).forward, 30.0)

    with pytest.raises(BrokerConnectionError):
        relay.run_once()

    # c was confirmed beside b. And the next relay, of another process, need not wait for the lease of this one.
    assert relay.waiting() == 1
    assert [m.message_id for m in journal.claim_outbox(claimant="another")] == ["b"]


def test_a_message_that_cannot_be_sent_holds_no_other_up(journal, caplog):
    accept(journal, "a", "b", "c")
    relay = SendOutbox(journal, TakesAll(b=ValueError("too large")).forward, 30.0)

    assert relay.run_once() == Sent(2)
    assert relay.waiting() == 1
    assert "relay.message_refused id=b queue=q" in caplog.text


def test_while_another_relay_is_at_it_nothing_is_sent_twice(journal):
    accept(journal, "a")
    assert len(journal.claim_outbox(claimant="another")) == 1

    assert SendOutbox(journal, pytest.fail, 30.0).run_once() == Sent(0)


# --- heartbeat


def test_the_heartbeat_says_who_works_and_what_is_left(tmp_path, journal, database):
    facts = {"master": 1, "group": "storage", "queues": ("user_input",), "version": "1", "threads": 8}
    one = Presence(tmp_path / "n1", WorkerProcess(pid=os.getpid(), started_at=100.0, **facts))
    other = Presence(tmp_path / "n1", WorkerProcess(pid=99, started_at=50.0, **facts))
    now = time.time()
    running = Started(
        task_id="t", task_name="n", queue_name="q", payload="{}", worker=f"n1/storage/{os.getpid()}", started_at=now - 5
    )
    journal.write(lambda connection: tasks.started(connection, [running]))
    accept(journal, "a")
    workers = Workers(database)
    heartbeat = Heartbeat(journal, Sync(journal, Tasks(database)), workers, tmp_path / "n1")

    heartbeat.run_once()

    [group] = workers.all()
    assert (group.node, group.group_name, group.processes, group.threads) == ("n1", "storage", 2, 16)
    assert (group.pids, group.running, group.unsynced, group.owed) == (sorted([os.getpid(), 99]), 1, 2, 1)
    assert group.lag >= 5
    assert group.started_at.timestamp() == 50.0

    other.leave()
    one.leave()
    heartbeat.run_once()
    [group] = workers.all()
    assert (group.pids, group.unsynced, group.stopped_at is None) == ([], 2, False)


def test_the_heartbeat_goes_by_the_databases_clock(tmp_path, journal, database, monkeypatch):
    now = time.time()
    facts = {"master": 1, "group": "storage", "queues": ("user_input",), "version": "1", "threads": 8}
    here = Presence(tmp_path / "n1", WorkerProcess(pid=os.getpid(), started_at=now, **facts))
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    workers = Workers(database)

    Heartbeat(journal, Sync(journal, Tasks(database)), workers, tmp_path / "n1").run_once()

    [group] = workers.all()
    assert abs(group.seen_at.timestamp() - now) < 600
    here.leave()


# --- the others


def finish(journal, task_id):
    record = Finish(
        task_id=task_id, task_name="n", queue_name="q", payload="{}", state=TaskState.COMPLETED, worker="w",
        started_at=1.0, completed_at=2.0,
    )  # fmt: skip
    journal.write(lambda connection: tasks.finish(connection, record))


def test_prune_deletes_what_is_copied_and_old_only(journal, database):
    sync = Sync(journal, Tasks(database), clock=lambda: 100.0)
    finish(journal, "copied")
    sync.run_once()
    finish(journal, "not copied")
    prune = Prune(journal, Retention(tasks=10.0), Workers(database))

    deleted = prune.run_once()

    assert deleted.rows["task_wal"] == 1
    assert journal.read(lambda c: c.execute("SELECT task_id FROM task_wal").get) == "not copied"
    assert "task_wal" not in prune.run_once().rows


def test_a_node_whose_clock_is_ahead_deletes_nothing_of_the_others(journal, database):
    asked = []
    prune = Prune(
        journal, Retention(tasks=1e12), Workers(database),
        central=lambda at: asked.append(at.timestamp()) or {}, clock=lambda: time.time() + 400 * 86_400,
    )  # fmt: skip

    prune.run_once()

    assert asked == [pytest.approx(time.time(), abs=60)]


def test_checkpoint_says_how_far_it_came(journal):
    accept(journal, "a")

    found = Checkpoint(journal).run_once()

    assert found.pages == found.copied > 0


def test_copying_pruning_and_checkpoints_are_events(journal, database, tmp_path):
    told = []
    stop = events.listen(
        lambda event, fields: told.append((event.name, dict(fields))),
        events.SYNCED, events.PRUNED, events.CHECKPOINTED,
    )  # fmt: skip
    finish(journal, "old")
    try:
        Sync(journal, Tasks(database)).run_once()
        Sync(journal, Tasks(database)).run_once()  # nothing is left, and nothing is told
        later = Prune(journal, Retention(tasks=1.0), Workers(database), clock=lambda: time.time() + 100.0)
        later.run_once()
        found = Checkpoint(journal).run_once()
    finally:
        stop()

    assert told == [
        ("journal.synced", {"rows": 1, "refused": 0, "behind": False}),
        ("journal.pruned", {"table": "task_wal", "rows": 1}),
        ("journal.checkpointed", {"file": str(journal.path), "pages": found.pages, "copied": found.copied}),
    ]
