"""Messages that wait in the embedded broker's file, as the central database shows them."""

from datetime import timedelta

import dramatiq
import pytest
from tests.upgraded import upgrade

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.keeper import tell_waiting
from growbin_jobs.engine.keeper.tell_waiting import TellWaiting


@pytest.fixture
def broker(tmp_path):
    opened = EmbeddedBroker(tmp_path / "broker.db", middleware=[])
    yield opened
    opened.close()


@pytest.fixture
def database(tmp_path):
    opened = open_database(None, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(opened, ENGINE_SCHEMA)
    yield opened
    opened.close()


def test_a_producer_s_message_that_waits_is_pending_with_its_due_time(broker, database, monkeypatch):
    monkeypatch.setattr(tell_waiting, "PAGE", 2)

    @dramatiq.actor(broker=broker, queue_name="q", actor_name="work")
    def work(word):
        pass

    now, later, third = work.send("now"), work.send_with_options(args=("later",), delay=60_000), work.send("third")
    job = TellWaiting("a", database, broker.waiting)

    assert job.run_once() == 3
    assert job.run_once() == 0
    assert TellWaiting("b", database, broker.waiting).run_once() == 3  # another keeper changes nothing

    tasks = {each.task_id: each for each in Tasks(database).recent(10)}
    assert set(tasks) == {now.message_id, later.message_id, third.message_id}
    waits, delayed = tasks[now.message_id], tasks[later.message_id]
    assert (waits.status, waits.node, waits.due_at, waits.parent_id) == (TaskState.PENDING, "a", None, None)
    assert (waits.task_name, waits.queue_name, waits.payload["args"]) == ("work", "q", ["now"])
    assert timedelta(seconds=59) < delayed.due_at - delayed.created_at < timedelta(seconds=61)


def test_what_is_no_message_and_what_the_database_refuses_hold_nothing_up(broker, database):
    @dramatiq.actor(broker=broker, queue_name="q", actor_name="work")
    def work():
        pass

    good = [work.send().message_id]
    hold = broker._hold()
    hold.write(lambda queue: queue.put("q", "x", b"no message", priority=0, due=1, now=2))
    far = work.message_with_options(args=(), message_id="far")
    hold.write(lambda queue: queue.put("q", "far", far.encode(), priority=0, due=10**18, now=2))
    good.append(work.send().message_id)

    assert TellWaiting("a", database, broker.waiting).run_once() == 3

    assert {each.task_id for each in Tasks(database).recent(10)} == set(good)
