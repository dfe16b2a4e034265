import time
from datetime import UTC, datetime

import pytest

from growbin_jobs.cli import times


@pytest.fixture
def zone(monkeypatch):
    def choose(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield choose
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "shown", "named"),
    [
        ("Asia/Seoul", "2001-09-09 10:46:40", "KST, UTC+09:00"),
        ("UTC", "2001-09-09 01:46:40", "UTC"),
        ("Asia/Kathmandu", "2001-09-09 07:31:40", "UTC+05:45"),
        ("America/St_Johns", None, None),
    ],
)
def test_times_are_in_the_zone_that_is_named(zone, name, shown, named):
    zone(name)
    moment = datetime.fromtimestamp(1_000_000_000, UTC)

    assert shown in (None, times.local(1_000_000_000.0))
    assert named in (None, times.zone_name())
    # All of a view are as far from UTC as its name says, in summer and winter.
    offset = datetime.now(times.zone()).strftime("%z")
    assert datetime.fromisoformat(times.local(moment) + offset) == moment
    assert times.local(moment, 3).endswith(":40.000")


@pytest.mark.parametrize("at", [1e30, -1e30, float("inf"), float("nan")])
def test_what_is_in_no_calendar_is_shown_as_it_is(at):
    assert times.local(at) == str(at)
