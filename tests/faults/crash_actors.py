"""Actors of the crash tests: some kill the process that runs them. Each run leaves a line when it begins and ends."""

from __future__ import annotations

import ctypes
import os
import signal
import time

import dramatiq

from faults.pauses import shorten
from growbin_jobs.app import broker

QUEUE = "crashes"

shorten()

ENDLESS = {"max_retries": 3, "min_backoff": 100, "time_limit": 600_000}


def note(what: str, name: str) -> None:
    """Append a line: one write, so lines of many processes do not mingle, and it outlives the process."""
    descriptor = os.open(os.environ["CRASH_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what} {name} {os.getpid()}\n".encode())
    os.close(descriptor)


@dramatiq.actor(queue_name=QUEUE, broker=broker, **ENDLESS)
def innocent(name: str, seconds: float) -> None:
    note("begin", name)
    time.sleep(seconds)
    note("end", name)


@dramatiq.actor(queue_name=QUEUE, broker=broker, **ENDLESS)
def follow_up(name: str, seconds: float) -> None:
    note("begin", name)
    time.sleep(seconds)
    innocent.send(f"{name}-child", 0.0)
    note("end", name)


@dramatiq.actor(queue_name=QUEUE, broker=broker, **ENDLESS)
def killer(name: str, how: str, seconds: float = 0.3) -> None:
    note("begin", name)
    time.sleep(seconds)  # its neighbours run too
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "exit":
        os._exit(3)
    elif how == "abort":
        os.abort()
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does for lack of memory
