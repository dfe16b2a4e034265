"""What ``dramatiq`` and ``dramatiq-gevent`` run: four stages, on the broker that ``BENCH_SYSTEM`` names."""

import os
from pathlib import Path
from typing import Any

import dramatiq
from dramatiq.broker import Broker
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.tasks.systems import STAGES, stage_name
from benchmarks.tasks.tally import Tally
from growbin_jobs.engine.broker.rabbitmq.topology import arguments
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.groups import Route


class SameQueues(RabbitmqBroker):
    """Dramatiq's broker on the same kind of queue, which it cannot declare itself."""

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        queue_type: Any = os.environ["BENCH_QUEUE_TYPE"]
        return arguments(queue_name, queue_type)[queue_name]


def open_broker() -> Broker:
    """Return a broker: Dramatiq's own with its own middleware, or ours exactly as the product wires it."""
    system = os.environ["BENCH_SYSTEM"]
    if system == "c":
        from growbin_jobs.app import broker

        return broker
    plain = SameQueues(url=os.environ["BENCH_URL"], confirm_delivery=system == "b")
    dramatiq.set_broker(plain)
    return plain


broker = open_broker()
tally = Tally(Path(os.environ["BENCH_TALLY"]))


def declare(stage: int) -> None:
    """Declare a stage: it starts the next one, or counts the end of its chain."""
    name = stage_name(stage)
    following = Route(stage_name(stage + 1), stage_name(stage + 1))

    @dramatiq.actor(broker=broker, actor_name=name, queue_name=name)
    def run(chain: int, length: int, payload: str) -> None:
        if stage < length:
            broker.enqueue(message_for(following, chain, length, payload))
        else:
            tally.mark(chain)


for number in range(1, STAGES + 1):
    declare(number)
