"""A worker process for the tests of RabbitMQ: says what it begins and finishes, and finishes what it is told to.

Arguments: broker URL, queue, threads. On stdin, ``go N`` lets a run of message N end, ``pass`` lets all end from now on.
"""

import signal
import sys
import threading
from collections import defaultdict

import dramatiq
from dramatiq import Worker

from growbin_jobs.broker.rabbitmq import RabbitBroker
from growbin_jobs.middleware.stale import DropStale

url, queue, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
broker = RabbitBroker(url=url, middleware=[DropStale()])
tickets: defaultdict[int, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(0))
everyone = threading.Event()


@dramatiq.actor(broker=broker, queue_name=queue)
def task(n: int) -> None:
    print("begin", n, flush=True)
    while not everyone.is_set() and not tickets[n].acquire(timeout=0.05):
        pass
    print("end", n, flush=True)


signal.signal(signal.SIGTERM, lambda *_: worker.stop())
worker = Worker(broker, worker_threads=threads, worker_timeout=50)
worker.queue_prefetch = threads * 2
worker.start()
for line in sys.stdin:
    match line.split():
        case ["go", number]:
            tickets[int(number)].release()
        case ["pass"]:
            everyone.set()
worker.stop()
broker.close()
