"""Windows of maintenance, in zones whose clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.platform.health.maintenance import in_maintenance

NEW_YORK = ZoneInfo("America/New_York")
NIGHTLY = {
    "zone": "America/New_York",
    "weekdays": "7",
    "starts": "02:30",
    "minutes": 60,
    "from_at": None,
    "until_at": None,
}


@pytest.mark.parametrize(
    ("minute", "inside"), [(-1, False), (0, True), (59, True), (60, False)], ids=["before", "begin", "last", "end"]
)
@pytest.mark.parametrize(
    "day", [datetime(2026, 11, 22, 2, 30, tzinfo=NEW_YORK), datetime(2026, 11, 1, 2, 30, tzinfo=NEW_YORK)]
)
def test_a_window_is_as_long_as_it_says_also_when_clocks_change(day, minute, inside):
    begin = day.astimezone(UTC)

    assert in_maintenance([NIGHTLY], begin + timedelta(minutes=minute)) is inside


def test_a_begin_that_the_clocks_leave_out_is_an_hour_later():
    assert in_maintenance([NIGHTLY], datetime(2026, 3, 8, 3, 45, tzinfo=NEW_YORK).astimezone(UTC))
    assert not in_maintenance([NIGHTLY], datetime(2026, 3, 8, 1, 45, tzinfo=NEW_YORK).astimezone(UTC))


def test_a_window_over_midnight_and_one_day_only():
    late = {**NIGHTLY, "zone": "UTC", "starts": "23:30", "minutes": 120}

    assert in_maintenance([late], datetime(2026, 11, 23, 1, 0, tzinfo=UTC))  # Monday, begun on Sunday
    assert not in_maintenance([late], datetime(2026, 11, 24, 1, 0, tzinfo=UTC))


def test_a_single_window():
    once = {
        **NIGHTLY,
        "starts": None,
        "from_at": datetime(2026, 11, 1, tzinfo=UTC),
        "until_at": datetime(2026, 11, 2, tzinfo=UTC),
    }

    assert in_maintenance([once], datetime(2026, 11, 1, 12, tzinfo=UTC))
    assert not in_maintenance([once], datetime(2026, 11, 2, tzinfo=UTC))
