"""How far ahead a worker process fetches, by group."""

from collections.abc import Sequence

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker
from dramatiq.worker import QUEUE_PREFETCH

from growbin_jobs.engine.groups import Group

#: Deliveries of a queue that have run and whose acknowledgement is on its way: their ends are being committed and what
#: they have sent is being confirmed. They count as fetched too, so without them quick tasks would wait for that. So
#: many for each thread or greenlet, since more of them run more in that time; within bounds, since no other process can
#: run what this one has fetched.
SETTLING, LEAST_SETTLING, MOST_SETTLING = 3, 64, 300

_MAX_AMQP_PREFETCH = 65_535


def settling(threads: int) -> int:
    """Return how many deliveries of a queue may be on their way to their acknowledgement.

    Parameters:
      threads: Threads or greenlets of the process.
    """
    return min(max(SETTLING * threads, LEAST_SETTLING), MOST_SETTLING)


class Prefetch(Middleware):
    """Set the prefetch of each queue to the group's factor times the threads that this process really has.

    A process of slow calls fetches no more than it can run, so that a waiting message is free for other nodes. Queues
    of no group get what Dramatiq gives them and :func:`settling` more; ``dramatiq_queue_prefetch`` decides otherwise.
    Set here and not by an environment variable, so that the plain ``dramatiq`` command has it too.

    Parameters:
      groups: The groups that there are.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = tuple(groups)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        declared = broker.get_declared_queues()
        factors = [group.prefetch_factor for group in self._groups if declared & set(group.queues)]
        if factors:
            worker.queue_prefetch = min(factors[-1] * worker.worker_threads, _MAX_AMQP_PREFETCH)
        elif not QUEUE_PREFETCH:
            worker.queue_prefetch = min(worker.queue_prefetch + settling(worker.worker_threads), _MAX_AMQP_PREFETCH)
            if hasattr(broker, "work_queue"):
                broker.work_queue = lambda: worker.work_queue  # the one that it has once it runs
