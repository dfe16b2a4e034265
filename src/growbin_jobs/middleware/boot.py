"""A worker that cannot work says so and stops, before it takes a message."""

import logging
import sys
from collections.abc import Callable

from dramatiq import Middleware, Worker
from dramatiq.broker import Broker

from growbin_jobs.errors import Deferred, GrowbinError

logger = logging.getLogger(__name__)

#: sysexits.h: something in the configuration is wrong.
EX_CONFIG = 78


class Boot(Middleware):
    """Prepare a group's services when its worker starts, and end the process when they cannot be had.

    Dramatiq logs an exception in a hook and goes on, so this one exits. A dependency that is merely away
    (``Deferred``) does not keep a worker from starting: its messages wait.
    """

    def __init__(self) -> None:
        self._preparations: list[Callable[[], object]] = []

    def prepare_with(self, prepare: Callable[[], object]) -> None:
        """Call ``prepare`` when a worker starts; it raises ``ConfigurationError`` with what to do."""
        self._preparations.append(prepare)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        try:
            for prepare in self._preparations:
                prepare()
        except Deferred as error:
            logger.warning("boot.dependency_away error=%s", error)
        except GrowbinError as error:
            logger.critical("%s", error)
            sys.exit(EX_CONFIG)
        except Exception:
            logger.critical("boot.failed", exc_info=True)
            sys.exit(1)
