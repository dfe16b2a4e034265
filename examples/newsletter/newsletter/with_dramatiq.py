"""Before: plain Dramatiq on RabbitMQ, with Redis for groups and results."""

import os
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend

from newsletter import letters

url = os.environ.get("DRAMATIQ_BROKER_URL")
broker: Any = RabbitmqBroker(url=url) if url else StubBroker()
broker.add_middleware(GroupCallbacks(StubBackend()))  # RedisBackend() where it must survive


@dramatiq.actor(broker=broker, max_retries=5, min_backoff=1_000, throws=letters.UnknownReader)
def write_letter(issue: int, reader: str) -> str:
    letters.print_letter(issue, reader)
    return reader


@dramatiq.actor(broker=broker)
def close_issue(issue: int) -> None:
    letters.close(issue)


@dramatiq.actor(broker=broker)
def send_issue(issue: int, readers: list[str]) -> None:
    letters_of_issue = dramatiq.group([write_letter.message(issue, reader) for reader in readers], broker=broker)
    letters_of_issue.add_completion_callback(close_issue.message(issue))
    letters_of_issue.run()
