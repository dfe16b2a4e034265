"""``python -m tests.contract.killed_callers``: callers of limits, killed one after the other at any moment.

A program of its own, for it forks: to copy the tables of a process that has collected all tests takes ten times as long
as what the caller does.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.asking import Wish
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.tickets import Gate

WISH = Wish({"vision": 1, "project": 1})


def opened(url: str | None, path: Path) -> Database:
    """Open the database of a URL, else of a file."""
    return open_database(url, default_path=path, pool_size=1, timeout=10)


def call_until_killed(url: str | None, path: Path, sent: int) -> None:
    """Ask for tickets and send, a byte a request, without an end."""
    gate = Gate(SqlLimits(opened(url, path)))
    while True:
        ticket = gate.ticket(WISH)
        if gate.begin(ticket):
            os.write(sent, b".")


def requests_of_the_killed(url: str | None, path: Path, kills: int) -> int:
    """Start so many callers, kill each soon after its first request, and return how many requests they have sent."""
    requests, sent = os.pipe()
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    chance, counted = random.Random(17), 0
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            try:
                call_until_killed(url, path, sent)
            finally:
                os._exit(3)
        try:
            assert poll.poll(60_000), "it never called"
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        counted += len(os.read(requests, 65536))
        time.sleep(chance.uniform(0, 0.004))  # killed wherever it is then
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.close(sent)
    while rest := os.read(requests, 65536):
        counted += len(rest)
    return counted


if __name__ == "__main__":
    print(requests_of_the_killed(sys.argv[1] or None, Path(sys.argv[2]), int(sys.argv[3])))
