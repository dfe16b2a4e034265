"""Hand messages from the consumers to the workers quickly."""

from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.fast.work_queue import WorkQueue


class FastWorkQueue(Middleware):
    """Give a worker a :class:`~growbin_jobs.engine.fast.work_queue.WorkQueue` before its threads start."""

    def before_worker_boot(self, broker: Broker, worker: Any) -> None:
        worker.work_queue = WorkQueue()

    def after_consumer_thread_boot(self, broker: Broker, thread: Any) -> None:
        # Dramatiq looks for delayed messages after each one, by an exception of a queue with three locks. Our brokers
        # hold them themselves; only what others have sent with an ``eta`` comes here.
        handle = thread.handle_delayed_messages
        thread.handle_delayed_messages = lambda: thread.delay_queue.queue and handle()
