"""Stops a worker process that cannot work, with the reason in the log, and has it put away what it holds at its end."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker

from growbin_jobs.engine.dramatiq_log import quiet_consumer, quiet_dramatiq
from growbin_jobs.engine.errors import Deferred, GrowbinError

logger = logging.getLogger(__name__)


class Boot(Middleware):
    """Prepare a group's services when its worker starts, and end the process when they cannot be had.

    Dramatiq logs an exception in a hook and goes on, so this one exits. A dependency that is merely away
    (``Deferred``) does not keep a worker from starting: its messages wait.
    """

    def __init__(self) -> None:
        self._preparations: list[Callable[[], object]] = []
        self._endings: list[Callable[[], object]] = []

    def prepare_with(self, prepare: Callable[[], object]) -> None:
        """Call ``prepare`` when a worker starts; it raises ``ConfigurationError`` with what to do."""
        self._preparations.append(prepare)

    def finish_with(self, finish: Callable[[], object]) -> None:
        """Call ``finish`` once a worker has stopped and no actor runs any more."""
        self._endings.append(finish)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        for finish in self._endings:
            try:
                finish()
            except Exception:
                logger.exception("boot.ending_failed")

    def after_consumer_thread_boot(self, broker: Broker, thread: Any) -> None:
        quiet_consumer(thread.logger)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        quiet_dramatiq()
        with ending_who_cannot_work():
            try:
                for prepare in self._preparations:
                    prepare()
            except Deferred as error:
                logger.warning("boot.dependency_away error=%s", error)


@contextmanager
def ending_who_cannot_work() -> Iterator[None]:
    """End a worker process whose boot fails in this block, with the reason in the log: Dramatiq would let it go on."""
    try:
        yield
    except GrowbinError as error:
        logger.critical("%s", error)
        sys.exit(os.EX_CONFIG)
    except Exception:
        logger.critical("boot.failed", exc_info=True)
        sys.exit(1)
