"""Ends a worker whose configuration is found wrong while the modules with its engine and its actors are imported."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.processes import is_worker_process

logger = logging.getLogger(__name__)


@contextmanager
def ending_a_wrong_worker() -> Iterator[None]:
    """End a worker process of the ``dramatiq`` command that finds its configuration wrong while it imports them.

    It says the sentence and ends as one does whose boot fails. Dramatiq would show a traceback, which hides it. A
    producer gets the exception.

    Raises:
      ConfigurationError: Out of the block, in any other process.
    """
    try:
        yield
    except ConfigurationError as error:
        if not is_worker_process():
            raise
        logger.critical("%s", error)
        sys.exit(os.EX_CONFIG)
