"""A worker whose actor forks a child that lives longer. Arguments: broker URL, queue, ``gevent`` or ``threads``.

Says the child's process id when the actor runs and the child is there.
"""

import os
import sys
import time
from time import sleep  # the native one, under gevent too: a child that lets greenlets run goes on as a worker

if sys.argv[3] == "gevent":
    from gevent import monkey

    monkey.patch_all()

import dramatiq
from dramatiq import Worker

from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

url, queue = sys.argv[1], sys.argv[2]
broker = RabbitBroker(url=url, middleware=[])


@dramatiq.actor(broker=broker, queue_name=queue)
def task() -> None:
    child = os.fork()
    if child == 0:
        sleep(300)
        os._exit(0)
    print(child, flush=True)
    time.sleep(300)


worker = Worker(broker, worker_threads=2, worker_timeout=50)
worker.start()
time.sleep(300)
