import pytest
from dramatiq import Message, Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.middleware.give_up_hook import GiveUpHook
from growbin_jobs.engine.middleware.retries import Retries


class Consumer:
    closed = False


class RecordingBroker(Broker):
    """Takes messages and keeps them; refuses them while ``away``."""

    def __init__(self, middleware: list[Middleware]) -> None:
        super().__init__(middleware)
        self.sent: list[tuple[Message, int | None]] = []
        self.away = False

    def declare_queue(self, queue_name: str) -> None:
        self.queues[queue_name] = None

    def enqueue(self, message, *, delay=None):
        if self.away:
            raise ConnectionError("no broker")
        self.sent.append((message, delay))
        return message


@pytest.fixture
def recording_broker():
    return RecordingBroker([GiveUpHook(), Retries(max_retries=2, min_backoff=100, max_wait=3600.0)])


@pytest.fixture
def run(recording_broker):
    """Let the middleware settle one run of an actor that raised, and return the delivery."""

    def run(actor, exception, *args, options=None):
        message = actor.message_with_options(args=args, **(options or {}))
        delivery = Delivery(message, Consumer())
        recording_broker.emit_after("process_message", delivery, exception=exception)
        return delivery

    return run
