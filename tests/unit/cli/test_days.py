"""Days and times that people write: whatever is taken can be shown in every zone, the rest is refused in a sentence."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.cli.days import check_order, first_day, moment_of
from growbin_jobs.errors import ConfigurationError, Permanent
from growbin_jobs.platform.measures.periods import period_of, start_of_day

ZONE = "America/New_York"
FAR_EAST, FAR_WEST = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")

WRITTEN = st.one_of(
    st.text(max_size=12),
    st.dates().map(date.isoformat),
    st.datetimes(timezones=st.sampled_from([UTC, FAR_EAST, None])).map(datetime.isoformat),
    st.integers(0, 99_999).map("{}d".format),
)


@given(WRITTEN)
def test_a_time_that_is_taken_can_be_turned_to_any_zone(written):
    try:
        moment = moment_of(written, ZONE)
    except ConfigurationError:
        return
    assert moment.tzinfo is not None
    for zone in (FAR_EAST, FAR_WEST, UTC):
        assert (moment + timedelta(days=7)).astimezone(zone) > moment


@given(WRITTEN)
def test_a_day_that_is_taken_has_a_begin_and_a_day_after(written):
    try:
        day = first_day(written, ZONE)
    except ConfigurationError:
        return
    assert start_of_day(day, ZoneInfo(ZONE)) < start_of_day(day + timedelta(days=1), ZoneInfo(ZONE))


@pytest.mark.parametrize(("kind", "label"), [("daily", "9999-12-31"), ("weekly", "9999-W52"), ("monthly", "0001-01")])
def test_a_period_without_a_neighbour_is_refused(kind, label):
    with pytest.raises(Permanent, match="is written as"):
        period_of(kind, label, ZoneInfo(ZONE))


def test_a_span_does_not_end_before_it_begins():
    check_order(date(2026, 11, 1), date(2026, 11, 1))
    with pytest.raises(ConfigurationError, match=r"--to \(2026-10-31\) lies before --from \(2026-11-01\)"):
        check_order(date(2026, 11, 1), date(2026, 10, 31))
