"""Double entry: whatever happens to reservations, the books agree."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.limits.bookkeeping import (
    NEARLY,
    SPENT,
    Entry,
    Totals,
    day_of,
    ended,
    has_room,
    released,
    seconds_left,
    to_tell,
    total,
)

SEOUL = ZoneInfo("Asia/Seoul")
money = st.integers(0, 10**12)
endings = st.lists(st.one_of(st.none(), st.just("release"), money), max_size=5)


def after(entry: Entry, steps: list) -> Entry:
    for step in steps:
        entry = released(entry) if step == "release" else ended(entry, step)
    return entry


@given(st.lists(st.tuples(money, endings), max_size=20))
def test_reserved_is_settled_and_released_and_unknown_and_open(requests):
    entries = [after(Entry(amount), steps) for amount, steps in requests]

    sums = total(entries)

    assert sums.open == sum(entry.amount for entry in entries if entry.state == "open")
    assert sums.reserved == sums.settled + sums.released + sums.unknown + sums.open
    assert min(sums.reserved, sums.settled, sums.released, sums.unknown, sums.open) >= 0
    assert sums.spent >= sums.settled + sums.unknown


@given(money, endings)
def test_an_end_is_final_but_for_what_is_unknown(amount, steps):
    entry = after(Entry(amount), steps)

    if entry.state in ("settled", "released"):
        assert after(entry, [None, "release", 7]) == entry
    if entry.state == "unknown":
        assert released(entry) == entry
        assert ended(entry, 7).totals.settled == 7


def test_a_request_that_cost_more_than_was_reserved_is_booked_whole():
    assert ended(Entry(10), 25).totals == Totals(reserved=25, settled=25, released=0, unknown=0)


@pytest.mark.parametrize(
    ("cap", "spent", "amount", "room"),
    [(None, 10**15, 10**15, True), (0, 0, 1, False), (0, 0, 0, True), (100, 60, 40, True), (100, 60, 41, False)],
)
def test_a_cap_of_none_is_none_and_of_zero_is_nothing(cap, spent, amount, room):
    assert has_room(Totals(reserved=spent), amount, cap) is room


def test_each_percentage_is_told_once():
    told, said = 0, []
    for spent in (10, 79, 80, 90, 100, 101, 150):
        percent = to_tell(spent, 100, told)
        if percent is not None:
            told = percent
            said.append((spent, percent))

    assert said == [(80, NEARLY), (101, SPENT)]
    assert to_tell(10**9, None, 0) is None


@pytest.mark.parametrize(
    ("moment", "latest", "day"),
    [
        (datetime(2026, 11, 28, 14, 59, 59, tzinfo=UTC), None, date(2026, 11, 28)),
        (datetime(2026, 11, 28, 15, 0, tzinfo=UTC), date(2026, 11, 28), date(2026, 11, 29)),
        # The clock goes back over midnight: the day does not.
        (datetime(2026, 11, 28, 14, 59, 59, tzinfo=UTC), date(2026, 11, 29), date(2026, 11, 29)),
        # A day that a wrong clock made counts for nothing.
        (datetime(2026, 11, 28, 12, tzinfo=UTC), date(2031, 1, 1), date(2026, 11, 28)),
    ],
)
def test_a_day_is_the_zone_s_and_goes_forward_only(moment, latest, day):
    assert day_of(moment.timestamp(), SEOUL, latest) == day


@given(st.integers(0, 4_000_000_000), st.sampled_from(["Asia/Seoul", "UTC", "America/New_York", "Pacific/Apia"]))
def test_a_day_lasts_until_its_zone_s_midnight(moment, name):
    zone = ZoneInfo(name)
    day = day_of(moment, zone)
    left = seconds_left(moment, zone, day)

    assert day_of(moment + left, zone) > day
    assert left <= 49 * 3600  # Samoa left out a day
