import os

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import SkipMessage

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.errors import ConfigurationError, Deferred
from growbin_jobs.engine.fast.held_items import FastWorkQueue
from growbin_jobs.engine.middleware import prefetch
from growbin_jobs.engine.middleware.boot import Boot
from growbin_jobs.engine.middleware.lifecycle import Lifecycle
from growbin_jobs.engine.middleware.prefetch import LEAST_SETTLING, MOST_SETTLING, SETTLING, Prefetch, settling
from growbin_jobs.names import GROUPS


def boot_that_raises(error):
    def prepare():
        raise error

    boot = Boot()
    boot.prepare_with(prepare)
    return StubBroker(middleware=[boot])


def test_a_worker_with_a_wrong_configuration_ends_with_a_sentence(caplog):
    broker = boot_that_raises(ConfigurationError("Set GROWBIN_THIS."))

    with pytest.raises(SystemExit) as caught:
        broker.emit_before("worker_boot", None)

    assert caught.value.code == os.EX_CONFIG
    assert "Set GROWBIN_THIS." in caplog.text


def test_a_worker_that_cannot_be_built_ends_too(caplog):
    with pytest.raises(SystemExit) as caught:
        boot_that_raises(KeyError("weights")).emit_before("worker_boot", None)

    assert caught.value.code == 1
    assert "boot.failed" in caplog.text


def test_a_worker_starts_while_a_dependency_is_away():
    boot_that_raises(Deferred("database is away", wait=1)).emit_before("worker_boot", None)


@pytest.mark.parametrize(
    ("queue", "expected"), [("vision_analysis", 5), ("user_input", 10), ("other", 10 + LEAST_SETTLING)]
)
def test_the_prefetch_follows_the_group_and_the_threads(queue, expected):
    broker = StubBroker(middleware=[Prefetch(tuple(GROUPS.values()))])
    dramatiq.actor(lambda: None, broker=broker, actor_name="work", queue_name=queue)
    worker = Worker(broker, worker_threads=5)

    broker.emit_before("worker_boot", worker)

    assert worker.queue_prefetch == expected


@pytest.mark.parametrize(
    ("threads", "expected"),
    [(1, LEAST_SETTLING), (8, LEAST_SETTLING), (50, 50 * SETTLING), (100, MOST_SETTLING), (1000, MOST_SETTLING)],
)
def test_what_settles_grows_with_the_threads_within_bounds(threads, expected):
    assert settling(threads) == expected


@pytest.mark.parametrize(("queue", "more"), [("vision_analysis", False), ("other", True)])
def test_consumers_may_fetch_more_where_no_group_says_how_many(queue, more):
    broker = StubBroker(middleware=[Prefetch(tuple(GROUPS.values())), FastWorkQueue()])
    broker.work_queue = None
    dramatiq.actor(lambda: None, broker=broker, actor_name="work", queue_name=queue)
    worker = Worker(broker, worker_threads=5)

    broker.emit_before("worker_boot", worker)

    assert (broker.work_queue is not None and broker.work_queue()) is (worker.work_queue if more else False)


def test_who_has_set_the_prefetch_has_it(monkeypatch):
    monkeypatch.setattr(prefetch, "QUEUE_PREFETCH", 7)
    monkeypatch.setattr("dramatiq.worker.QUEUE_PREFETCH", 7)
    broker = StubBroker(middleware=[Prefetch(tuple(GROUPS.values()))])
    dramatiq.actor(lambda: None, broker=broker, actor_name="work", queue_name="other")
    broker.work_queue = None
    worker = Worker(broker, worker_threads=5)

    broker.emit_before("worker_boot", worker)

    assert worker.queue_prefetch == 7
    assert broker.work_queue is None


@pytest.mark.parametrize("closed", [True, False])
def test_only_what_the_broker_has_back_is_skipped(closed):
    consumer = type("Consumer", (), {"closed": closed})()
    message = dramatiq.Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={})
    skipped = False

    try:
        Lifecycle(lambda: None).before_process_message(StubBroker(), Delivery(message, consumer))
    except SkipMessage:
        skipped = True

    assert skipped is closed


def test_a_delivery_shows_no_arguments():
    message = dramatiq.Message(queue_name="q", actor_name="look", args=("secret",), kwargs={}, options={})

    assert str(Delivery(message, None)) == f"look[{message.message_id}]"


def test_what_waits_is_put_away_when_a_worker_has_stopped_whatever_fails():
    ended = []
    boot = Boot()
    for finish in (lambda: ended.append(1), lambda: 1 / 0, lambda: ended.append(2)):
        boot.finish_with(finish)

    StubBroker(middleware=[boot]).emit_after("worker_shutdown", None)

    assert ended == [1, 2]
