"""How far ahead a worker process fetches, by group."""

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker

from growbin_jobs.names import GROUPS

_MAX_AMQP_PREFETCH = 65_535


class Prefetch(Middleware):
    """Set the prefetch of each queue to the group's factor times the threads that this process really has.

    A process of slow calls fetches no more than it can run, so that a waiting message is free for other nodes.
    Set here and not by an environment variable, so that plain ``dramatiq growbin_jobs.ai`` has it too.
    """

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        declared = broker.get_declared_queues()
        for group in GROUPS.values():
            if declared & set(group.queues):
                worker.queue_prefetch = min(group.prefetch_factor * worker.worker_threads, _MAX_AMQP_PREFETCH)
