"""A worker process for the tests of RabbitMQ: says what it fetches, begins and ends, and ends what it is told to.

Arguments: broker URL, queue, threads. On stdin, ``go N`` lets a run of message N end, ``pass`` lets all end from now
on. SIGTERM stops it.
"""

import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq import Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.middleware import SkipMessage

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.delivery.delivery import Delivery


def say(what: str, task: int) -> None:
    os.write(1, f"{what} {task}\n".encode())  # in one piece, whoever else says something


url, queue, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Telling:
    """Says what arrives."""

    def ready(self) -> bool:
        return True

    def receive(self, deliveries: Sequence[Delivery]) -> bool:
        for delivery in deliveries:
            say("fetched", delivery.args[0])
        return True


class DropStale(Middleware):
    """Skips what the broker has back."""

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if message.stale:
            raise SkipMessage


broker = RabbitBroker(url=url, middleware=[DropStale()])
broker.intake = Telling()
tickets: defaultdict[int, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(0))
everyone = threading.Event()


@dramatiq.actor(broker=broker, queue_name=queue)
def task(n: int) -> None:
    say("begin", n)
    while not everyone.is_set() and not tickets[n].acquire(timeout=0.05):
        pass
    say("end", n)


signal.signal(signal.SIGTERM, lambda *_: sys.exit())
worker = Worker(broker, worker_threads=threads, worker_timeout=50)
worker.queue_prefetch = threads * 2
worker.start()
try:
    for line in sys.stdin:
        match line.split():
            case ["go", number]:
                tickets[int(number)].release()
            case ["pass"]:
                everyone.set()
finally:
    worker.stop()
    broker.close()
