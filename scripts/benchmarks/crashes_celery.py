"""What ``celery worker`` runs for ``scripts/bench crashes``: the same two stages, set up to lose nothing."""

import os

from celery import Celery
from kombu.entity import Queue

from benchmarks.crashes_job import QUEUES, wait

app = Celery("crashes", broker=os.environ["BENCH_URL"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_queues=[Queue(name, exchange="", routing_key=name) for name in QUEUES],
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=1,
)


@app.task(name="vision")
def vision(job: int) -> None:
    """Look at a picture."""
    wait("vision", job)
    app.send_task("text", args=(job,), queue=QUEUES[1])


@app.task(name="text")
def text(job: int) -> None:
    """Write the answer."""
    wait("text", job)
