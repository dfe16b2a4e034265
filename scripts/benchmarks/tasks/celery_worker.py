"""What ``celery worker`` runs: the same four stages, set up to lose nothing, with a journal as one writes it first.

Late acknowledgement, confirmed publishes, quorum queues, and a row in SQLite for each task, committed by itself. What
Celery does not need here is off: results, events, gossip, remote control.
"""

import os
from pathlib import Path
from typing import Any

from celery import Celery, Task
from kombu.entity import Queue

from benchmarks.tasks.journal import Journal
from benchmarks.tasks.systems import STAGES, stage_name
from benchmarks.tasks.tally import Tally
from growbin_jobs.engine.broker.rabbitmq.topology import arguments

queue_type: Any = os.environ["BENCH_QUEUE_TYPE"]
tally = Tally(Path(os.environ["BENCH_TALLY"]))

app = Celery("bench", broker=os.environ["BENCH_URL"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_ignore_result=True,
    task_queues=[
        Queue(name, exchange="", routing_key=name, queue_arguments=arguments(name, queue_type)[name])
        for name in map(stage_name, range(1, STAGES + 1))
    ],
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=2,  # as Dramatiq: for each queue twice what can run
)


journal = Journal(os.environ["BENCH_CELERY_JOURNAL"])


def declare(stage: int) -> None:
    """Declare a stage: it starts the next one, or counts the end of its chain."""
    name, following = stage_name(stage), stage_name(stage + 1)

    @app.task(name=name, bind=True)
    def run(self: Task, chain: int, length: int, payload: str) -> None:
        if stage < length:
            app.send_task(following, args=(chain, length, payload), queue=following)
        else:
            tally.mark(chain)
        journal.write(self.request.id, name, payload)


for number in range(1, STAGES + 1):
    declare(number)
