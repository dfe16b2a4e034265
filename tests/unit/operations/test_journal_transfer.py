from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.journal.tables import copied_again
from growbin_jobs.engine.node.presence import Presence, WorkerProcess
from growbin_jobs.errors import ConfigurationError, Deferred
from growbin_jobs.operations import journal_transfer

LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


class Broker:
    """Takes messages until it is away."""

    def __init__(self, away=None):
        self.taken = []
        self.away = away

    def forward(self, messages):
        if self.away:
            raise self.away
        self.taken += messages
        return [None] * len(messages)


def drained(node, central, broker):
    return journal_transfer.drain(
        node.file, open_journal=node.open, tasks=lambda: central, forward=broker.forward, batch=2
    )


def test_a_drain_copies_and_sends_all_and_a_second_one_nothing(node, central):
    for number in range(5):
        node.finish(f"t{number}")
    node.accept("m")
    node.journal.close()
    broker = Broker()

    first, second = drained(node, central, broker), drained(node, central, broker)

    assert (first.copied, first.left, first.sent, first.owed, first.problems) == (6, 0, 1, 0, [])
    assert (second.copied, second.sent, second.complete) == (0, 0, True)
    assert [message.message_id for message in broker.taken] == ["m"]
    assert central.get("t4").node == "n1"


def test_a_node_that_is_drained_has_left_nothing(node, central):
    node.accept("m")
    node.journal.close()
    workers = Workers(central.database)
    group = WorkerGroup(
        node="n1", group_name="storage", version="1", pids=[7], processes=1, threads=1, queues=[], running=1,
        unsynced=5, owed=2, lag=9.0, started_at=LONG_AGO, seen_at=LONG_AGO,
    )  # fmt: skip
    workers.report("n1", [group], unsynced=5, owed=2, at=LONG_AGO)

    drained(node, central, Broker(BrokerUnavailable("away")))
    [left] = workers.all()
    drained(node, central, Broker())
    [done] = workers.all()

    assert (left.unsynced, left.owed) == (0, 1)
    assert (done.unsynced, done.owed, done.running) == (0, 0, 0)
    assert done.stopped_at is not None


def test_after_a_restore_what_was_copied_since_is_copied_again(node, central, monkeypatch):
    monkeypatch.setattr(copied_again, "CHUNK", 2)
    for number in range(3):
        node.finish(f"old{number}")
    journal_transfer.copy(node.journal, central, batch=9)
    since = datetime.now(UTC)
    for number in range(5):
        node.finish(f"new{number}", "dead" if number == 2 else "completed")
    journal_transfer.copy(node.journal, central, batch=9)
    for table in ("tasks", "task_attempts", "dead_letters"):
        lost = f"DELETE FROM {table} WHERE task_id LIKE 'new%'"
        central.database.run(lambda connection, lost=lost: connection.execute_sql(lost))

    assert journal_transfer.copy(node.journal, central, batch=9).copied == 0
    marked = journal_transfer.forget_copied(node.journal, since)
    assert journal_transfer.copy(node.journal, central, batch=9).copied == 5

    [(attempts,)] = central.database.run(
        lambda connection: list(connection.execute_sql("SELECT count(*) FROM task_attempts"))
    )
    assert marked == 5 + attempts + 1  # and the letter
    assert [central.get(f"new{number}").status for number in (0, 2, 4)] == ["completed", "dead", "completed"]
    assert journal_transfer.forget_copied(node.journal, datetime.now(UTC)) == 0


@pytest.mark.parametrize("away", [BrokerUnavailable("The broker is away."), Deferred("It waits.", wait=1)])
def test_what_cannot_be_sent_stays_and_is_said(node, central, away):
    node.accept("m")

    done = drained(node, central, Broker(away))

    assert (done.copied, done.sent, done.owed, done.complete) == (1, 0, 1, False)
    assert done.problems == [str(away)]
    assert set(journal_transfer.report(done)) == {"copied", "refused", "left", "sent", "owed", "quarantined"}


def test_what_cannot_be_copied_stays_and_is_said(node, central, monkeypatch):
    node.finish("a")

    def away(*_page):
        raise Deferred("The database is away.", wait=1)

    monkeypatch.setattr(central, "absorb", away)

    done = journal_transfer.copy(node.journal, central, batch=10)

    assert (done.copied, done.left, done.problem) == (0, 1, "The database is away.")


@contextmanager
def working(node):
    process = WorkerProcess(pid=1, master=1, group="ai", threads=1, queues=(), version="1", started_at=0.0)
    presence = Presence(node.file.parent, process)
    yield
    presence.leave()


def test_a_journal_that_workers_use_is_left_alone(node, central):
    node.accept("m")
    broker = Broker()

    with working(node), pytest.raises(ConfigurationError, match="1 worker processes"):
        drained(node, central, broker)

    assert broker.taken == []
