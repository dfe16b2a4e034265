"""Waits for what has no signal: a row in another process's database, a page, a queue's depth."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil


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


def freeze(pid: int) -> None:
    """Stop a process, and return when it stands: ``kill`` returns before all its threads have seen it."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, f"process {pid} stands")
