"""What ``dramatiq`` runs in the tests of the keeper: the embedded broker and, around nothing, the real middleware.

Each worker process writes a last row into the journal when it has stopped. ``TEST_SHUTDOWN_FILE`` holds its stop up
while that file exists; ``TEST_IMPATIENT`` lets workers miss a keeper soon.
"""

import os
import time
from pathlib import Path

import dramatiq
from dramatiq import Middleware

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.delivery.records import Finish, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.middleware import ensure_keeper as keeping
from growbin_jobs.settings import current
from growbin_jobs.wiring import engine_config

if os.environ.get("TEST_IMPATIENT"):
    keeping.PATIENCE = keeping.INTERVAL = 0.3
settings = current()
journal = Journal(settings.journal_path, node=settings.node, worker="storage", free_floor=1)


class LastWords(Middleware):
    def after_worker_shutdown(self, broker, worker):
        held_up_by = os.environ.get("TEST_SHUTDOWN_FILE")
        while held_up_by and Path(held_up_by).exists():
            time.sleep(0.02)
        now = time.time()
        record = Finish(
            task_id=f"last-{os.getpid()}", task_name="last", queue_name="user_input", payload="{}",
            state=TaskState.COMPLETED, worker=journal.worker, started_at=now, completed_at=now,
        )  # fmt: skip
        journal.finish(record, lambda error, owed: None)
        journal.close()


keeper = keeping.EnsureKeeper(config := engine_config(settings), lambda: config.source)
broker = EmbeddedBroker(settings.embedded_broker_path, middleware=[keeper, LastWords()])
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="user_input")
def nothing():
    """There for its queue."""
