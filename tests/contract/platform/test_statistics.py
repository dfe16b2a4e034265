"""Statistics of days, weeks and months: late facts, facts that are gone, and an independent count."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain
from math import ceil
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whole import examples

from growbin_jobs.errors import NotFound, Permanent
from growbin_jobs.platform.measures.histogram import bucket_of
from growbin_jobs.platform.measures.periods import Period, periods_between
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.facts import ApiCall, Login
from growbin_jobs.platform.tables.losses import Loss, Losses
from growbin_jobs.platform.tables.slots import Slots, StatisticsSlot

from .conftest import SEOUL, World, empty, seoul


def test_a_day_is_counted_from_its_facts(world: World) -> None:
    world.user("u1", seoul(1))
    world.user("u2", seoul(28))  # later than the day
    for at in (seoul(27, 0), seoul(27, 23, 59), seoul(28, 0), seoul(26, 23, 59)):
        world.login("u1", at)
        world.session("u1", at)
        world.call(at, model="gpt-6-luna", status=500 if at == seoul(27, 0) else 200)
    world.call(seoul(27, 13))

    done = world.statistics.aggregate("daily", seoul(27, 0))

    row = world.row("2026-11-27")
    assert done.period == "2026-11-27"
    assert (row["total_users"], row["active_users"], row["total_sessions"]) == (1, 1, 2)
    assert (row["total_api_calls"], row["failed_api_calls"]) == (3, 1)
    assert row["llm_usage"] == {
        "calls": 2, "failed": 1, "tokens_in": 20, "tokens_out": 10, "cost": 14,
        "by_model": {"gpt-6-luna": {"calls": 2, "failed": 1, "tokens_in": 20, "tokens_out": 10, "cost": 14}},
    }  # fmt: skip


def test_counting_a_day_twice_is_the_same_row(world: World) -> None:
    world.call(seoul(27))
    world.statistics.aggregate("daily", seoul(27, 0))
    before = world.row("2026-11-27")
    world.now += timedelta(hours=1)

    world.statistics.aggregate("daily", seoul(27, 0))

    assert {**world.row("2026-11-27"), "computed_at": None} == {**before, "computed_at": None}


def test_a_user_who_logs_in_around_midnight_was_active_on_both_days_however_late_it_is_counted(world: World) -> None:
    world.login("u1", seoul(27, 23, 50))
    world.login("u1", seoul(28, 0, 2))
    world.statistics.aggregate("daily", seoul(27, 0))
    at_once = world.row("2026-11-27")["active_users"]
    world.now += timedelta(days=7)
    world.login("u1", world.now)

    list(world.statistics.backfill("daily", seoul(27, 0), seoul(29, 0)))

    assert at_once == 1
    assert [world.row(day)["active_users"] for day in ("2026-11-27", "2026-11-28")] == [1, 1]


def test_late_facts_change_every_period_that_they_lie_in_at_the_next_run(world: World) -> None:
    world.call(seoul(10))
    world.now = seoul(1, 2, month=12)
    for kind, since in (("daily", seoul(10, 0)), ("weekly", seoul(9, 0)), ("monthly", seoul(1, 0))):
        world.statistics.aggregate(kind, since)
    world.now += timedelta(days=2)
    world.call(seoul(10, 13))

    done = world.statistics.aggregate("daily", world.now - timedelta(days=1))

    assert sorted(done.redone) == ["2026-11", "2026-11-10", "2026-W46"]
    assert [world.row(label)["total_api_calls"] for label in ("2026-11-10", "2026-W46", "2026-11")] == [2, 2, 2]


def test_a_process_that_dies_between_the_roll_up_and_the_count_loses_no_late_fact(world: World) -> None:
    world.now = seoul(20)
    world.statistics.aggregate("daily", seoul(10, 0))
    world.call(seoul(10))
    world.slots.roll(world.now, now=world.now)  # and then it dies

    world.statistics.aggregate("daily", seoul(19, 0))

    assert world.row("2026-11-10")["total_api_calls"] == 1


def test_a_writer_that_commits_after_the_roll_up_is_counted_the_next_time(world: World) -> None:
    world.call(seoul(27, 23, 50))
    world.statistics.aggregate("daily", seoul(27, 0))
    # It found the mark of its slot before the roll-up, locked nothing, and its row only appears now.
    row = {
        "id": "slow", "at": seoul(27, 23, 55), "user_id": "u", "model": None, "purpose": None, "status": 200,
        "latency_ms": 1, "tokens_in": None, "tokens_out": None, "cost": None,
    }  # fmt: skip
    world.database.run(lambda connection: ApiCall.insert(row).execute(connection))
    world.now += timedelta(days=1)

    done = world.statistics.aggregate("daily", seoul(28, 0))

    assert done.redone == ["2026-11-27"]
    assert world.row("2026-11-27")["total_api_calls"] == 2
    assert world.slots.dirty(world.now) == []


@pytest.mark.parametrize("another", [False, True])
def test_a_fact_that_comes_late_while_its_slot_is_counted_is_not_lost(world: World, another: bool) -> None:
    """Also where another process has rolled the slot up meanwhile."""
    world.call(seoul(10))
    world.now = seoul(20)

    class Overtaken(Slots):
        def _count(self, connection, mark):
            counted = super()._count(connection, mark)
            self.__class__ = Slots  # once
            if another:
                world.slots.roll(world.now, now=world.now)
            world.call(seoul(10, 12, 1))
            return counted

    Overtaken(world.database).roll(world.now, now=world.now)
    world.statistics.aggregate("daily", seoul(10, 0))

    assert world.row("2026-11-10")["total_api_calls"] == 2
    assert world.slots.dirty(world.now) == []


def test_a_period_that_has_not_ended_is_not_counted(world: World) -> None:
    with pytest.raises(Permanent, match="2026-11-28 has not ended"):
        world.statistics.aggregate("daily", seoul(28, 0))

    assert [each.outcome for each in world.statistics.backfill("monthly", seoul(1, 0), seoul(2, 0))] == ["not ended"]


def test_a_period_whose_facts_are_gone_is_refused_and_its_row_stays(world: World) -> None:
    world.now = seoul(1, 2, month=12)
    world.login("u1", seoul(10))
    world.call(seoul(10))
    world.statistics.aggregate("monthly", seoul(1, 0))
    before = world.row("2026-11")

    def drop(connection):
        Login.delete().execute(connection)
        ApiCall.delete().execute(connection)
        for source in ("logins", "api_calls"):
            limits.advance(connection, source, seoul(1, 0, month=12))

    world.database.transaction(drop)
    outcomes = list(world.statistics.backfill("monthly", seoul(1, 0), seoul(1, 0, month=12)))

    assert [(each.period, each.outcome, each.gone) for each in outcomes] == [("2026-11", "refused", ("logins",))]
    assert world.row("2026-11") == before
    with pytest.raises(Permanent, match=r"2026-11-10 cannot be counted.*logins"):
        world.statistics.aggregate("daily", seoul(10, 0))


def test_late_facts_of_a_slot_whose_other_facts_are_gone_change_nothing_and_are_reported(world: World) -> None:
    world.call(seoul(10))
    world.now = seoul(20)
    world.statistics.aggregate("daily", seoul(10, 0))
    before = world.row("2026-11-10")
    world.database.transaction(lambda connection: limits.advance(connection, "api_calls", seoul(11, 0)))
    world.call(seoul(10, 12, 1))

    done = world.statistics.aggregate("daily", seoul(19, 0))

    assert done.refused_slots == 1
    assert world.row("2026-11-10") == before


def test_facts_of_one_table_that_are_gone_do_not_hold_back_late_facts_of_another(world: World) -> None:
    world.call(seoul(10))
    world.session("u1", seoul(10))
    world.now = seoul(20)
    world.statistics.aggregate("daily", seoul(10, 0))
    world.database.transaction(lambda connection: limits.advance(connection, "sessions", seoul(11, 0)))
    world.call(seoul(10, 12, 1))
    world.session("u2", seoul(10, 12, 1))

    done = world.statistics.aggregate("daily", seoul(19, 0))

    assert (done.redone, done.refused_slots) == (["2026-11-10"], 1)
    row = world.row("2026-11-10")
    assert (row["total_api_calls"], row["total_sessions"]) == (2, 1)
    assert world.slots.dirty(seoul(11)) == [(seoul(10), "sessions")]


def test_a_loss_that_is_accepted_is_recorded_and_reported_no_more(world: World) -> None:
    losses = Losses(world.database, clock=world.clock)
    world.call(seoul(10))
    world.now = seoul(20)
    world.statistics.aggregate("daily", seoul(10, 0))
    before = world.row("2026-11-10")
    world.database.transaction(lambda connection: limits.advance(connection, "api_calls", seoul(11, 0)))
    for day in (10, 15):  # that of the 15th can be counted
        world.call(seoul(day, 12, 1))
    refused = losses.refused(seoul(10, 0), seoul(16, 0))

    accepted = losses.accept(seoul(10, 0), seoul(16, 0), by="ada")

    late = Loss("api_calls", seoul(10), seoul(10, 12, 15), 2)
    assert refused == accepted == [late]
    assert [slot for slot, _ in world.slots.dirty(seoul(16))] == [seoul(15)]
    done = world.statistics.aggregate("daily", seoul(19, 0))
    assert (done.refused_slots, world.row("2026-11-10")) == (0, before)
    assert losses.refused(seoul(1), seoul(28)) == []
    [record] = losses.accepted(seoul(10, 0), seoul(11, 0))
    assert (record["source"], record["facts"], record["accepted_by"]) == ("api_calls", 2, "ada")
    assert losses.accepted(seoul(11, 0), seoul(28)) == []


def test_a_row_that_can_never_be_counted_again_is_accepted_as_it_is(world: World) -> None:
    losses = Losses(world.database, clock=world.clock)
    world.now = seoul(2, month=12)
    for kind, since in (("daily", seoul(20, 0)), ("monthly", seoul(1, 0))):
        world.statistics.aggregate(kind, since)
    world.database.transaction(lambda connection: limits.advance(connection, "logins", seoul(5, 0)))
    world.call(seoul(20))
    done = world.statistics.aggregate("daily", seoul(1, 0, month=12))
    assert (done.redone, done.refused) == (["2026-11-20"], ["2026-11"])

    accepted = losses.accept(seoul(20, 0), seoul(21, 0), by="ada")

    assert accepted == [Loss("monthly", seoul(1, 0), seoul(1, 0, month=12))]
    assert (world.row("2026-11")["stale"], world.row("2026-11")["total_api_calls"]) == (0, 0)
    assert world.statistics.aggregate("daily", seoul(1, 0, month=12)).refused == []


def test_the_limit_of_a_source_never_goes_back(world: World) -> None:
    for day in (10, 5):
        world.database.transaction(lambda connection, day=day: limits.advance(connection, "logins", seoul(day)))

    assert world.database.run(lambda connection: limits.gone(connection, ["logins"], seoul(9))) == ["logins"]


def test_each_number_of_a_row_is_explained_by_its_facts(world: World) -> None:
    world.call(seoul(27), model="m")
    world.login("u1", seoul(27))
    world.statistics.aggregate("daily", seoul(27, 0))

    compared = world.statistics.explain("2026-11-27")

    assert all(each.agrees for each in compared)
    assert {each.name: each.facts for each in compared}["m: cost"] == 7
    with pytest.raises(NotFound, match="2026-11-26 was not counted"):
        world.statistics.explain("2026-11-26")


@pytest.mark.parametrize("seed", range(3))
def test_a_slot_has_the_calls_of_each_bucket_and_the_sums_of_each_model(world: World, seed: int) -> None:
    """Also where a model has no name, or an empty one."""
    random = Random(seed)
    models, latencies = [None, "", "gpt-6-luna", "m\u1100"], [-5, 0, 1, 2, 3, 20, 1000, 1041, 10**9, 2**62]
    calls = [
        (seoul(27, 12, 3), random.choice(models), random.choice([200, 500]), random.choice(latencies), number)
        for number in range(60)
    ]
    world.calls([*calls, (seoul(27, 12, 15), "of the next slot", 500, 1, 1)])

    world.slots.roll(seoul(27, 12, 15), now=world.now)

    rows = world.database.rows(StatisticsSlot.select())
    assert {(row["model"], row["bucket"]): row["calls"] for row in rows} == Counter(
        (model or "", bucket_of(ms)) for _, model, _, ms, _ in calls
    )
    for name in {model or "" for _, model, *_ in calls}:
        mine, of_model = (
            [row for row in rows if row["model"] == name],
            [each for each in calls if (each[1] or "") == name],
        )
        sums = [sum(row[column] for row in mine) for column in ("failed", "tokens_in", "tokens_out", "cost")]
        failed, cost = sum(status == 500 for _, _, status, _, _ in of_model), sum(cost for *_, cost in of_model)
        assert sums == [failed, 10 * len(of_model), 5 * len(of_model), cost]


#: Second, user and milliseconds of a login, a session and a call.
FACTS = st.tuples(st.integers(0, 6 * 24 * 60 * 60 - 1), st.sampled_from("abc"), st.integers(0, 60_000))


KOLKATA, LORD_HOWE, NEW_YORK = (
    ("Asia/Kolkata", datetime(2026, 3, 5, tzinfo=UTC)), ("Australia/Lord_Howe", datetime(2026, 4, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 29, tzinfo=UTC)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("upgraded", "zone", "begin"),
    [
        ("sqlite", *KOLKATA), ("sqlite", *LORD_HOWE), ("sqlite", *NEW_YORK),
        pytest.param("postgresql", *KOLKATA, marks=[pytest.mark.services, pytest.mark.before_release]),
        pytest.param("postgresql", *LORD_HOWE, marks=pytest.mark.services),
        pytest.param("postgresql", *NEW_YORK, marks=[pytest.mark.services, pytest.mark.before_release]),
    ],
    indirect=["upgraded"],
)  # fmt: skip
@settings(
    max_examples=examples(5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_rows_agree_with_a_slow_count_in_zones_of_half_hours_and_long_days(database, zone, begin, data) -> None:
    """Facts come before and after the first count, and before a backfill: no row must tell the difference."""
    empty(database)
    place = ZoneInfo(zone)
    world = World(database, place)
    world.now = begin + timedelta(days=8)
    drawn = [data.draw(st.lists(FACTS, max_size=most)) for most in (12, 6, 6)]
    first, last = begin + timedelta(days=1), begin + timedelta(days=6)
    days = list(periods_between("daily", first, last, place))
    _write(world, begin, drawn[0])
    for day in days:
        world.statistics.aggregate("daily", day.since)
    world.now += timedelta(days=2)
    _write(world, begin, drawn[1])
    world.statistics.aggregate("daily", days[-1].since)
    for kind in ("daily", "weekly"):
        _assert_rows_are(world, list(periods_between(kind, first, last, place)), begin, drawn[0] + drawn[1])

    world.now += timedelta(days=9)
    _write(world, begin, drawn[2])
    for kind in ("daily", "weekly"):
        assert all(each.outcome == "counted" for each in world.statistics.backfill(kind, first, last))

    for kind in ("daily", "weekly"):
        _assert_rows_are(world, list(periods_between(kind, first, last, place)), begin, [*chain(*drawn)], all_=True)


def _assert_rows_are(
    world: World, periods: list[Period], begin: datetime, drawn: list[tuple[int, str, int]], *, all_: bool = False
) -> None:
    """Count each period once more, fact by fact, by what a clock of its zone shows."""
    for period in periods:
        place, form = ZoneInfo(period.zone), {"daily": "%Y-%m-%d", "weekly": "%G-W%V"}[period.kind]
        facts = [(begin + timedelta(seconds=at), user, ms) for at, user, ms in drawn]
        mine = [(user, ms) for at, user, ms in facts if at.astimezone(place).strftime(form) == period.label]
        row = world.table.find(period)
        assert row is not None or not all_
        if row is None:
            continue
        assert row["total_api_calls"] == row["total_sessions"] == len(mine)
        assert row["active_users"] == len({user for user, _ in mine})
        assert {m: u["calls"] for m, u in row["llm_usage"]["by_model"].items()} == Counter(f"m{u}" for u, _ in mine)
        assert row["llm_usage"]["cost"] == 7 * len(mine)
        if mine:
            exact = max(1, sorted(ms for _, ms in mine)[ceil(0.95 * len(mine)) - 1])
            assert row["latency"]["p95_ms"] == pytest.approx(exact, rel=0.0201)


def _write(world: World, begin: datetime, rows: list[tuple[int, str, int]]) -> None:
    for at, user, ms in rows:
        moment = begin + timedelta(seconds=at)
        world.login(user, moment)
        world.session(user, moment)
        world.call(moment, model=f"m{user}", ms=ms)


def test_weeks_are_iso_weeks_of_the_zone(world: World) -> None:
    world.now = datetime(2027, 1, 5, tzinfo=UTC)
    world.call(datetime(2027, 1, 1, 3, tzinfo=SEOUL))

    done = world.statistics.aggregate("weekly", datetime(2026, 12, 28, tzinfo=SEOUL))

    assert done.period == "2026-W53"
    assert world.row("2026-W53")["total_api_calls"] == 1
