"""Depth and age of queues, over both brokers: what is asked takes nothing away."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.broker import Broker
from tests.waiting import until

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.broker.port import Depth, Survey
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.services)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    made: Broker
    if request.param == "embedded":
        made = EmbeddedBroker(tmp_path / "broker.db", middleware=[])
    else:
        made = RabbitBroker(url=request.getfixturevalue("rabbitmq_url"), middleware=[])
    yield made
    made.close()


def test_age_grows_from_the_sending_and_nothing_is_taken(broker: Any) -> None:
    @dramatiq.actor(broker=broker, queue_name="q")
    def work(number: int) -> None: ...

    sent = time.time()
    work.send(1)
    work.send(2)

    found: Survey = until(lambda: (now := broker.survey(["q"])["q"]).depth.ready == 2 and now)
    assert found.age is not None
    assert -0.01 <= found.age <= time.time() - sent + 0.01
    later = until(lambda: (now := broker.survey(["q"])["q"]).age > found.age + 0.1 and now)
    assert later.depth.ready == 2
    assert later.age <= time.time() - sent + 0.01

    consumer = broker.consume("q", prefetch=5, timeout=100)
    seen: list[int] = []

    def take() -> bool:
        message = next(consumer)
        if message is not None:
            seen.append(message.args[0])
            consumer.ack(message)
        return len(seen) == 2

    until(take)
    assert seen == [1, 2]
    until(lambda: broker.survey(["q"])["q"] == Survey(Depth(0, *broker.survey(["q"])["q"].depth[1:]), 0.0))
    consumer.close()


def test_what_was_delayed_is_as_old_as_its_due_time(broker: Any) -> None:
    @dramatiq.actor(broker=broker, queue_name="q")
    def work() -> None: ...

    sent = time.time()
    work.send_with_options(delay=2000)

    found = until(lambda: (now := broker.survey(["q"])["q"]).age and now)
    assert found.age < time.time() - sent - 0.9  # RabbitMQ tells its times in whole seconds


def test_queues_that_do_not_exist_are_missing_or_empty(broker: Any) -> None:
    found = broker.survey(["none"])

    assert found in ({}, {"none": Survey(Depth(), 0.0)})
