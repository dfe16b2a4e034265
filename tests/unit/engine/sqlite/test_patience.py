"""How long a process waits for locks: a statement its time, a process that only reads some seconds in all."""

import math

import pytest

from growbin_jobs.engine.sqlite import patience
from growbin_jobs.engine.sqlite.patience import BRIEFLY, Patience, wait_briefly


class Clock:
    """Goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def waited(self, seconds: float) -> float:
        """Return how long a statement waits for a lock that is never released."""
        began, waiting = self.now, Patience(seconds)
        waiting._sleep = self.sleep
        waits = 0
        while waiting.wait(waits):
            waits += 1
        return self.now - began


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(patience, "time", found)
    monkeypatch.setattr(patience, "_left", math.inf)
    return found


def test_each_statement_waits_its_time(clock):
    assert clock.waited(30) == pytest.approx(30, abs=0.1)
    assert clock.waited(30) == pytest.approx(30, abs=0.1)


def test_a_process_that_only_reads_waits_for_some_seconds_in_all(clock):
    wait_briefly()

    assert clock.waited(1) == pytest.approx(1, abs=0.1)
    assert clock.waited(30) == pytest.approx(BRIEFLY - 1, abs=0.1)
    assert clock.waited(30) == pytest.approx(0.1, abs=0.1)
    assert clock.waited(30) > 0.0  # who writes right now is waited for all the same
