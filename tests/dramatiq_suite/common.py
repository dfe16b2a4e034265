"""The ``common.py`` of Dramatiq's own tests, which its source distribution lacks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from dramatiq import Worker

RABBITMQ_CREDENTIALS = None
skip_in_ci = pytest.mark.skipif(False, reason="runs everywhere")
skip_on_windows = skip_on_pypy = skip_in_ci


@contextmanager
def worker(*args: Any, **kwargs: Any) -> Iterator[Worker]:
    """Run a worker."""
    running = Worker(*args, **kwargs)
    running.start()
    try:
        yield running
    finally:
        running.stop()
