"""Days, weeks and months of zones."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.errors import ConfigurationError, Permanent
from growbin_jobs.platform.measures.periods import kind_of, period_at, period_of, periods_between, start_of_day

ZONES = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("posix", "right")))


@pytest.mark.parametrize(
    ("zone", "label", "hours"),
    [
        ("Asia/Seoul", "2026-11-27", 24),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Africa/Cairo", "2026-04-24", 23),  # 00:00 does not exist
        ("Asia/Beirut", "2026-03-29", 23),
    ],
)
def test_a_day_has_the_hours_of_its_zone(zone, label, hours):
    day = period_of("daily", label, ZoneInfo(zone))

    assert (day.until - day.since) / timedelta(hours=1) == hours


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(ZONES), st.dates(date(2024, 1, 1), date(2028, 12, 31)))
def test_every_moment_lies_in_the_local_day_that_begins_before_it(zone, day):
    place = ZoneInfo(zone)
    period = period_of("daily", day.isoformat(), place)

    assert period.since.astimezone(place).date() == day
    assert (period.since - timedelta(seconds=1)).astimezone(place).date() == day - timedelta(days=1)
    assert (period.until - timedelta(seconds=1)).astimezone(place).date() == day
    assert period.until == start_of_day(day + timedelta(days=1), place)


def test_a_day_that_a_zone_left_out_is_no_period():
    apia = ZoneInfo("Pacific/Apia")
    since = datetime(2011, 12, 28, 12, tzinfo=UTC)

    labels = [each.label for each in periods_between("daily", since, since + timedelta(days=3), apia)]

    assert labels == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]


@pytest.mark.parametrize(
    ("kind", "moment", "label"),
    [("weekly", date(2027, 1, 3), "2026-W53"), ("weekly", date(2027, 1, 4), "2027-W01"),
     ("monthly", date(2028, 2, 29), "2028-02"), ("daily", date(2028, 2, 29), "2028-02-29")],
)  # fmt: skip
def test_labels(kind, moment, label):
    seoul = ZoneInfo("Asia/Seoul")
    period = period_at(kind, datetime(moment.year, moment.month, moment.day, 12, tzinfo=seoul), seoul)

    assert (period.label, kind_of(label)) == (label, kind)
    assert period_of(kind, label, seoul) == period
    assert period.follow().since == period.until


@pytest.mark.parametrize(("kind", "label"), [("daily", "2026-02-30"), ("weekly", "2026-W54"), ("monthly", "2026-1")])
def test_a_label_that_means_no_period_is_refused(kind, label):
    with pytest.raises(Permanent, match="is written as"):
        period_of(kind, label, ZoneInfo("UTC"))


def test_a_zone_of_odd_minutes_is_refused():
    with pytest.raises(ConfigurationError, match="quarter of an hour"):
        start_of_day(date(1960, 1, 1), ZoneInfo("Africa/Monrovia"))
