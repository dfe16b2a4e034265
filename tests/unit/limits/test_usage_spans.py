"""A time is covered by spans and single days, each day once, whatever spans hold."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.limits.usage_spans import LENGTHS, Span, cover

DAY = date(2026, 11, 1)
spans = st.builds(
    lambda at, days: Span(date.fromordinal((DAY.toordinal() + at) // days * days), days),
    st.integers(-70, 140),
    st.sampled_from(LENGTHS),
)


@given(st.integers(0, 100), st.integers(0, 100), st.sets(spans, max_size=20))
def test_each_day_is_covered_once(begin: int, long: int, holding: set[Span]) -> None:
    first, last = DAY + timedelta(days=begin), DAY + timedelta(days=begin + long)

    parts = cover(first, last, holding)

    days = [part.since + timedelta(days=each) for part in parts for each in range(part.days)]
    assert days == [first + timedelta(days=each) for each in range(long + 1)]


def test_a_year_of_spans_takes_few() -> None:
    every = {
        Span(date.fromordinal(at), days)
        for days in LENGTHS
        for at in range(DAY.toordinal() // 64 * 64 - 64, DAY.toordinal() + 500, days)
        if at % days == 0
    }

    assert max(len(cover(DAY, DAY + timedelta(days=long), every)) for long in range(366)) <= 16
    assert len(cover(DAY, DAY + timedelta(days=365), set())) == 1
