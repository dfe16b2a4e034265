"""Waits for what has no signal: a row in another process's database, a page, a queue's depth."""

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], what: str = "", *, seconds: float = 60.0, every: float = 0.02) -> Any:
    """Ask until the answer is true, and return it.

    Parameters:
      what: What is awaited, for who reads the failure.
      seconds: After so many it has failed.
      every: Seconds between two looks.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what or condition}"
        time.sleep(every)
    return found
