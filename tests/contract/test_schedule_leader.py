"""Of all schedulers that live one leads, and it knows when it may not trust that any more."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.scheduler import presence as presences
from growbin_jobs.scheduler.presence import GONE_AFTER, Presence


class Times:
    """The database's clock, and the monotonic one of the processes."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 28, 3, 0, 37, tzinfo=UTC)
        self.monotonic = 0.0

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    made = Times()
    # Not that of the whole process: a loop of another thread would sleep until it is as late as it was.
    monkeypatch.setattr(presences, "time", SimpleNamespace(monotonic=lambda: made.monotonic))
    return made


def scheduler(database: Database, name: str, times: Times) -> Presence:
    def clock(_connection: Any) -> datetime:
        return times.now

    return Presence(database, name, "node", "1", clock)


def test_the_oldest_leads_until_it_is_gone(schedule_database: Database, times: Times) -> None:
    first, second = (scheduler(schedule_database, name, times) for name in ("z", "a"))
    assert not first.leads
    first.run_once()
    times.pass_by(1)
    second.run_once()
    assert (first.leads, second.leads) == (True, False)

    # The first one cannot reach the database: it stops before the second one begins.
    led = []
    for _ in range(int(GONE_AFTER.total_seconds()) + 2):
        times.pass_by(1)
        second.run_once()
        led.append((first.leads, second.leads))
    assert (True, True) not in led
    assert led[0] == (True, False)
    assert led[-1] == (False, True)

    first.run_once()  # it is back, and goes behind
    second.run_once()
    assert (first.leads, second.leads) == (False, True)


def test_one_that_stops_gives_way_at_once(schedule_database: Database, times: Times) -> None:
    first, second = (scheduler(schedule_database, name, times) for name in ("a", "b"))
    first.run_once()
    times.pass_by(1)
    first.leave()
    second.run_once()

    assert (first.leads, second.leads) == (False, True)
