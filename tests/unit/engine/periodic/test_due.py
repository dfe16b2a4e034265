"""Due times, against an independent library (cronsim), over all zones and two years, or one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.whole import WHOLE, examples

from growbin_jobs.engine.periodic.cron import Cron, Daily, Every
from growbin_jobs.engine.periodic.due import due_between

#: In each year clocks are set forth and back.
YEARS = 2 if WHOLE else 1
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026 + YEARS, 1, 1, tzinfo=UTC)
NEW_YORK, SEOUL = ZoneInfo("America/New_York"), ZoneInfo("Asia/Seoul")

#: Jobs that belong to local days: those of the spec, and times that clocks skip or show twice somewhere.
DAILY = ("0 0 * * *", "5 0 * * *", "0 2 * * *", "30 2 * * *", "30 1 * * *", "59 23 * * *")
RARE = ("0 9 * * 1", "0 1 * * mon", "0 3 * * 0", "30 1 1 * *", "0 4 1 * *", "0 0 29 2 *", "15 2 1,15 * 5")

#: Where clocks are not set from full hour to full hour cronsim 2.8 loses runs by real time, since it steps by hours:
#: the one of ``7 */6`` at 06:07 in Lord Howe, those from 02:45 on that Chatham's clock shows again.
ODD_HOURS = ("Australia/Lord_Howe", "Australia/LHI", "Pacific/Chatham", "NZ-CHAT")

#: Jobs that run by real time.
REAL_TIME = ("*/10 * * * *", "0 * * * *", "*/30 1-3 * * *", "7 */6 * * *", "* 2 * * sun")


def changes_of(zone: ZoneInfo) -> list[datetime]:
    """When the zone's clock is set: looked for between weeks, found by halving."""
    weeks = [START + timedelta(weeks=week) for week in range(52 * YEARS + 1)]
    return [
        _first_after(a, b, zone)
        for a, b in pairwise(weeks)
        if a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset()
    ]


def _first_after(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        changed = middle.astimezone(zone).utcoffset() != before.astimezone(zone).utcoffset()
        before, after = (before, middle) if changed else (middle, after)
    return after.replace(second=0, microsecond=0)


def kinds_of_zones() -> dict[object, tuple[ZoneInfo, list[datetime]]]:
    """One zone for each way to set clocks: those that are set at the same instants by as much behave alike."""
    kinds: dict[object, tuple[ZoneInfo, list[datetime]]] = {}
    for name in sorted(available_timezones() - {"localtime"}):
        zone = ZoneInfo(name)
        changes = changes_of(zone)
        kinds[(START.astimezone(zone).utcoffset(), *((at, at.astimezone(zone).utcoffset()) for at in changes))] = (
            zone,
            changes,
        )
    return kinds


KINDS = list(kinds_of_zones().values())
SETTING = [(zone, changes) for zone, changes in KINDS if changes]


def by_cronsim(expression: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    found = []
    for each in CronSim(expression, after.astimezone(zone)):
        if each > until:
            return sorted(set(found))
        if each > after:
            found.append(each.astimezone(UTC))
    return sorted(set(found))


def by_minutes(expression: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """Look at the clock every minute."""
    cron, at, found = Cron(expression), after, []
    while (at := at + timedelta(minutes=1)) <= until:
        local = at.astimezone(zone)
        if local.hour in cron.hours and local.minute in cron.minutes and cron.matches_day(local.date()):
            found.append(at)
    return found


def ours(expression: str, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    return list(due_between(Cron(expression), zone, after, until))


def test_all_zones_are_looked_at():
    assert len(KINDS) > 60
    assert len(SETTING) > 25


@pytest.mark.parametrize("expression", DAILY[:-1])  # Scoresbysund skips 23:59, which is then due on the next date
def test_daily_jobs_are_due_once_each_local_day_in_every_zone(expression):
    for zone, _ in SETTING:
        dates = [each.astimezone(zone).date() for each in ours(expression, zone, START, END)]
        assert abs(len(dates) - 365 * YEARS) <= 1
        assert {(b - a).days for a, b in pairwise(dates)} == {1}, zone


@pytest.mark.parametrize("expression", [*DAILY, *REAL_TIME])
def test_where_clocks_are_set_the_other_library_agrees(expression):
    for zone, changes in SETTING:
        for at in changes:
            margin = timedelta(hours=3) if expression == REAL_TIME[0] else timedelta(hours=30)
            after, until = at - margin, at + margin
            other = by_minutes if zone.key in ODD_HOURS and expression in REAL_TIME else by_cronsim
            assert ours(expression, zone, after, until) == other(expression, zone, after, until), (zone, at)


@pytest.mark.parametrize("expression", [*DAILY, *RARE])
def test_where_no_clocks_are_set_the_other_library_agrees(expression):
    for zone, changes in KINDS:
        if not changes:
            until = START + timedelta(days=40)
            assert ours(expression, zone, START, until) == by_cronsim(expression, zone, START, until), zone


@pytest.mark.parametrize("expression", RARE)
def test_weekly_and_monthly_jobs_of_whole_years_in_every_zone(expression):
    for zone, _ in SETTING:
        assert ours(expression, zone, START, END) == by_cronsim(expression, zone, START, END), zone


@settings(max_examples=examples(40), deadline=None)
@given(
    zone=st.sampled_from(["Pacific/Apia", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Tehran",
                          "America/St_Johns", "Asia/Kathmandu", "Antarctica/Troll", "America/Havana", "Asia/Gaza"]),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    year=st.integers(1995, 2037),
    month=st.sampled_from([3, 4, 10, 11]),
)  # fmt: skip
def test_any_time_of_day_in_odd_zones_and_years(zone, minute, hour, year, month):
    after = datetime(year, month, 1, tzinfo=UTC)
    until = after + timedelta(days=30)

    expression = f"{minute} {hour} * * *"
    assert ours(expression, ZoneInfo(zone), after, until) == by_cronsim(expression, ZoneInfo(zone), after, until)


def test_a_time_in_a_repeated_hour_is_due_once_and_ten_minutes_go_on():
    """B-T2: clocks of New York show 01:00 to 02:00 twice on 2026-11-01."""
    day, next_day = datetime(2026, 11, 1, 4, 30, tzinfo=UTC), datetime(2026, 11, 2, 4, tzinfo=UTC)

    assert ours("30 1 * * *", NEW_YORK, day, next_day) == [datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]
    assert len(ours("*/10 1 * * *", NEW_YORK, day, next_day)) == 12


def test_five_days_around_the_missing_hour():
    """B-T1: APScheduler 3.11.3 has no run on 2026-03-09."""
    found = ours("5 0 * * *", NEW_YORK, datetime(2026, 3, 7, 4, tzinfo=UTC), datetime(2026, 3, 12, 3, tzinfo=UTC))

    assert [(each.day, each.hour) for each in found] == [(7, 5), (8, 5), (9, 4), (10, 4), (11, 4)]


def test_a_whole_day_that_does_not_exist_is_made_up_for_at_once():
    """Samoa had no 2011-12-30."""
    apia = ZoneInfo("Pacific/Apia")
    found = ours("0 2 * * *", apia, datetime(2011, 12, 29, tzinfo=UTC), datetime(2011, 12, 31, tzinfo=UTC))

    assert [each.astimezone(apia).strftime("%d %H:%M") for each in found] == ["29 02:00", "31 00:00", "31 02:00"]


def test_monday_is_1():
    """B-T3."""
    [found] = ours("0 9 * * 1", SEOUL, datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 12, 5, tzinfo=UTC))

    assert found.astimezone(SEOUL).strftime("%A %H:%M") == "Monday 09:00"


def test_the_last_days_of_a_month():
    """B-T15: a monthly job in a leap year's February; one that most months miss."""
    assert ours("30 1 1 * *", SEOUL, datetime(2028, 1, 15, tzinfo=UTC), datetime(2028, 3, 15, tzinfo=UTC)) == [
        datetime(2028, 1, 31, 16, 30, tzinfo=UTC),
        datetime(2028, 2, 29, 16, 30, tzinfo=UTC),
    ]
    assert [each.month for each in ours("0 12 31 * *", ZoneInfo("UTC"), START, datetime(2027, 1, 1, tzinfo=UTC))] == [
        1, 3, 5, 7, 8, 10, 12,
    ]  # fmt: skip


def test_intervals_do_not_depend_on_when_a_process_started():
    """B-T4: two schedulers that were started 37 s apart, one that starts again every 4 minutes."""
    every, began = Every(300), datetime(2026, 11, 28, 10, 0, 37, 123456, tzinfo=UTC)
    other = began + timedelta(seconds=37)

    assert every.next_after(began, SEOUL) == every.next_after(other, SEOUL) == datetime(2026, 11, 28, 10, 5, tzinfo=UTC)
    restarts = {every.next_after(began + timedelta(minutes=4 * n), SEOUL) for n in range(15)}
    assert restarts == {datetime(2026, 11, 28, 10, 5, tzinfo=UTC) + timedelta(minutes=5 * n) for n in range(12)}


def test_daily_is_the_cron_expression_of_its_time():
    after = datetime(2026, 3, 8, 1, tzinfo=UTC)

    assert Daily(2, 30).next_after(after, NEW_YORK) == Cron("30 2 * * *").next_after(after, NEW_YORK)
