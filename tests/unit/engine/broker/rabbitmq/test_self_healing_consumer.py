"""When an idle consumer begins anew. That it helps is tried on RabbitMQ, in tests/integration."""

import pytest

from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq import self_healing_consumer as renewal
from growbin_jobs.engine.broker.rabbitmq.self_healing_consumer import SelfHealingConsumer


class Inner:
    """A consumer that hands out what it is given."""

    def __init__(self) -> None:
        self.messages: list[object] = []
        self.idle = True
        self.closed = False
        self.received_at = renewal.monotonic()

    def __next__(self) -> object | None:
        if not self.messages:
            return None
        self.received_at = renewal.monotonic()
        return self.messages.pop(0)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def started() -> list[Inner]:
    return []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(renewal, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def consumer(started: list[Inner], clock: list[float]) -> SelfHealingConsumer:
    def start() -> Inner:
        started.append(Inner())
        return started[-1]

    return SelfHealingConsumer(start)


def test_it_begins_anew_after_silence(clock, consumer, started):
    clock[0] += renewal.SILENCE
    assert next(consumer) is None
    assert [each.closed for each in started] == [True, False]
    assert next(consumer) is None
    assert len(started) == 2


def test_a_message_ends_the_silence(clock, consumer, started):
    clock[0] += renewal.SILENCE - 1
    started[0].messages.append("message")
    assert next(consumer) == "message"
    clock[0] += renewal.SILENCE - 1
    assert next(consumer) is None
    assert len(started) == 1


def test_what_it_holds_is_not_taken_from_it(clock, consumer, started):
    started[0].idle = False
    clock[0] += renewal.SILENCE
    assert next(consumer) is None
    assert len(started) == 1
    started[0].idle = True
    next(consumer)
    assert len(started) == 2


def test_when_it_cannot_begin_anew_dramatiq_is_told(clock, started):
    def start() -> Inner:
        if started:
            raise BrokerUnavailable("away")
        started.append(Inner())
        return started[0]

    consumer = SelfHealingConsumer(start)
    clock[0] += renewal.SILENCE
    with pytest.raises(BrokerUnavailable):
        next(consumer)
    assert started[0].closed
