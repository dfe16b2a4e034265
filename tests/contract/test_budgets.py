"""Budgets on both databases: nothing is spent above a cap, and the books agree whatever happens."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.upgraded import upgrade
from tests.whole import examples

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.bookkeeping import Entry, Totals, ended, has_room, released, total
from growbin_jobs.limits.budget_caps import Cap, Caps, parsed_cap
from growbin_jobs.limits.budget_report import budget_days, budgets_today, imbalances
from growbin_jobs.limits.budgets import EACH_USER, LEASE, TOTAL, Budgets
from growbin_jobs.models import SCHEMA

SEOUL = ZoneInfo("Asia/Seoul")
NOON = datetime(2026, 11, 28, 3, tzinfo=UTC)
TODAY = date(2026, 11, 28)


class Clock:
    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now

    def set(self, moment: datetime) -> None:
        self.now = moment.timestamp()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=16, timeout=30)
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budgets(database: Database, clock: Clock) -> Budgets:
    return Budgets(database, zone=SEOUL, clock=clock, defaults={TOTAL: 1000, EACH_USER: 300})


def totals(database: Database, name: str = TOTAL, day: date = TODAY) -> Totals:
    found = {one.name: one for one in budget_days(database, day)}
    one = found.get(name)
    return Totals(one.reserved, one.settled, one.released, one.unknown) if one else Totals()


def reserve(budgets: Budgets, amount: int, *names: str) -> str | None:
    """Reserve, and return the reservation; None where it was refused."""
    reservation = uuid4().hex
    return None if budgets.reserve(reservation, names or (TOTAL,), amount).refused_by else reservation


def test_what_is_reserved_is_settled_released_or_unknown(database: Database, budgets: Budgets) -> None:
    first, second, third, fourth = (reserve(budgets, amount) for amount in (100, 200, 300, 400))
    budgets.settle(first, 60, usage_id="row")
    budgets.release(second)
    budgets.settle(third, None)

    assert totals(database) == Totals(reserved=1000, settled=60, released=40 + 200, unknown=300)
    assert totals(database).open == 400
    assert imbalances(database, TODAY) == []
    assert fourth is not None


def test_a_second_end_changes_nothing(database: Database, budgets: Budgets) -> None:
    one = reserve(budgets, 100)
    for _ in range(2):
        budgets.settle(one, 60)
        budgets.release(one)
        budgets.settle(one, None)

    assert totals(database) == Totals(100, 60, 40, 0)
    assert imbalances(database, TODAY) == []


def test_all_budgets_or_none_and_the_refusal_says_which(database: Database, budgets: Budgets) -> None:
    assert reserve(budgets, 250, TOTAL, "user:u1")
    refusal = budgets.reserve("r", [TOTAL, "user:u1"], 100)

    assert (refusal.refused_by, refusal.cap) == ("user:u1", 300)
    assert totals(database) == totals(database, "user:u1") == Totals(reserved=250)
    assert reserve(budgets, 100, TOTAL, "user:u2")


def test_many_at_once_never_reserve_more_than_the_cap(database: Database, budgets: Budgets) -> None:
    start = threading.Barrier(12)

    def spend(number: int) -> int:
        start.wait()
        return sum(bool(reserve(budgets, 30, TOTAL, f"user:{number % 5}")) for _ in range(10))

    with ThreadPoolExecutor(12) as pool:
        granted = sum(pool.map(spend, range(12)))

    assert granted == 1000 // 30
    assert totals(database) == Totals(reserved=granted * 30)
    assert imbalances(database, TODAY) == []


def test_a_cost_above_the_reservation_is_booked_and_counts(database: Database, budgets: Budgets) -> None:
    one = reserve(budgets, 100)
    budgets.settle(one, 950)

    assert totals(database) == Totals(reserved=950, settled=950)
    assert reserve(budgets, 60) is None
    assert imbalances(database, TODAY) == []


def test_a_dead_holder_s_reservation_becomes_unknown_and_never_free(
    database: Database, budgets: Budgets, clock: Clock
) -> None:
    one = reserve(budgets, 300, TOTAL, "user:u1")
    clock.now += LEASE - 1
    assert budgets.expire() == 0
    clock.now += 2

    assert (budgets.expire(), budgets.expire()) == (2, 0)
    assert totals(database) == totals(database, "user:u1") == Totals(300, unknown=300)
    assert reserve(budgets, 1, TOTAL, "user:u1") is None
    # It was only late.
    budgets.settle(one, 100)
    assert totals(database) == Totals(300, 100, 200, 0)
    assert imbalances(database, TODAY) == []


def test_a_request_over_midnight_is_settled_on_the_day_of_its_reservation(
    database: Database, budgets: Budgets, clock: Clock
) -> None:
    midnight = datetime(2026, 11, 28, 15, tzinfo=UTC)
    clock.set(midnight - timedelta(seconds=10))
    one = reserve(budgets, 1000)
    clock.set(midnight + timedelta(seconds=10))
    other = reserve(budgets, 700)
    budgets.settle(one, 900)

    assert other is not None
    assert totals(database) == Totals(1000, 900, 100, 0)
    assert totals(database, day=TODAY + timedelta(days=1)) == Totals(700)


def test_nodes_of_other_time_zones_share_one_day(database: Database, clock: Clock, monkeypatch) -> None:
    clock.set(datetime(2026, 11, 28, 15, 30, tzinfo=UTC))  # 00:30 in Seoul
    spent = []
    for zone in ("UTC", "Asia/Seoul") * 3:
        monkeypatch.setenv("TZ", zone)
        budgets = Budgets(database, zone=SEOUL, clock=clock)
        reserve(budgets, 10)
        spent.append(totals(database, day=date(2026, 11, 29)).spent)

    assert spent == [10, 20, 30, 40, 50, 60]


def test_the_database_s_own_clock_is_used(database: Database) -> None:
    budgets = Budgets(database, zone=SEOUL)
    before = datetime.now(SEOUL).date()
    reserved = budgets.reserve("r", [TOTAL], 5)

    assert 0 <= reserved.seconds_left <= 86_400
    assert sum(totals(database, day=day).reserved for day in {before, datetime.now(SEOUL).date()}) == 5


def test_a_percentage_is_told_once_for_the_whole_cluster(database: Database, budgets: Budgets, clock: Clock) -> None:
    other_node = Budgets(database, zone=SEOUL, clock=clock, defaults={TOTAL: 1000})
    told = [
        (one.percent, one.spent)
        for node in (budgets, other_node) * 10
        for one in node.reserve(uuid4().hex, [TOTAL], 100).told
    ]

    assert told == [(80, 800), (100, 1000)]


def test_a_cap_that_was_set_wins_until_it_is_forgotten(database: Database, budgets: Budgets) -> None:
    caps = Caps(database)
    caps.set(Cap(TOTAL, 50))
    caps.set(Cap("user:vip", None))
    caps.set(Cap(EACH_USER, 0))

    assert caps.all() == [Cap(EACH_USER, 0), Cap(TOTAL, 50), Cap("user:vip", None)]
    assert budgets.reserve("a", [TOTAL, "user:vip"], 50).refused_by is None
    assert budgets.reserve("b", [TOTAL, "user:vip"], 1).refused_by == TOTAL
    assert budgets.reserve("c", ["user:u1"], 1).refused_by == "user:u1"
    assert (caps.forget(TOTAL), caps.forget(TOTAL), caps.forget(EACH_USER)) == (True, False, True)
    assert budgets.reserve("d", [TOTAL, "user:u1"], 1).refused_by is None


def test_today_is_shown_with_the_caps_that_hold_now(database: Database, budgets: Budgets) -> None:
    assert reserve(budgets, 100, TOTAL, "user:a", "user:b")
    before = {one.name: one.cap for one in budget_days(database, TODAY)}

    def caps() -> dict[str, int | None]:
        return {one.name: one.cap for one in budgets_today(database, TODAY)}

    assert caps() == before
    for cap in (Cap(TOTAL, 110), Cap(EACH_USER, 70), Cap("user:b", None)):
        Caps(database).set(cap)
    assert caps() == {TOTAL: 110, "user:a": 70, "user:b": None}
    assert {one.name: one.cap for one in budget_days(database, TODAY)} == before


def test_a_raised_cap_is_told_of_anew(database: Database, budgets: Budgets) -> None:
    reserve(budgets, 1000)
    [_] = budgets.reserve("r", [TOTAL], 1).told
    Caps(database).set(Cap(TOTAL, 1100))

    [told] = budgets.reserve("s", [TOTAL], 1).told
    assert (told.percent, told.cap) == (80, 1100)


@pytest.mark.parametrize("name", ["totals", "user:", "user:a\n", ""])
def test_a_budget_of_another_name_does_not_exist(database: Database, name: str) -> None:
    with pytest.raises(ConfigurationError):
        Caps(database).set(Cap(name, 1))


@pytest.mark.parametrize(
    ("written", "micro"), [("5", 5_000_000), ("0.25", 250_000), ("0", 0), ("none", None), ("0.000001", 1)]
)
def test_an_amount_as_people_write_it(written: str, micro: int | None) -> None:
    assert parsed_cap(written) == micro


@pytest.mark.parametrize("written", ["-1", "five", "", "1e12", "nan", "inf", "0.0000001", "5$"])
def test_what_is_no_amount_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError, match="no amount"):
        parsed_cap(written)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE budget_day SET settled = settled - 1",
        "UPDATE budget_day SET released = released + 5",
        "UPDATE budget_entry SET state = 'released', settled = 0",
        "DELETE FROM budget_entry",
    ],
)
def test_books_that_do_not_agree_are_found(database: Database, budgets: Budgets, damage: str) -> None:
    budgets.settle(reserve(budgets, 100), 60)
    assert imbalances(database, TODAY) == []

    database.run(lambda connection: connection.execute_sql(damage))

    [wrong] = imbalances(database, TODAY)
    assert (wrong.name, wrong.day) == (TOTAL, "2026-11-28")
    assert wrong.totals != wrong.entries


steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 400), st.sampled_from(["u1", "u2", None])),
        st.tuples(st.just("settle"), st.integers(0, 20), st.one_of(st.none(), st.integers(0, 500))),
        st.tuples(st.just("release"), st.integers(0, 20), st.none()),
        st.tuples(st.just("expire"), st.integers(1, 2000), st.none()),
    ),
    max_size=25,
)


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_any_history_is_that_of_a_slow_exact_model(database: Database, todo: list) -> None:
    for table in ("budget_day", "budget_entry"):
        database.run(lambda connection, table=table: connection.execute_sql(f"DELETE FROM {table}"))
    clock = Clock()
    budgets = Budgets(database, zone=SEOUL, clock=clock, defaults={TOTAL: 1000, EACH_USER: 300})
    caps = {TOTAL: 1000, "user:u1": 300, "user:u2": 300}
    model: list[tuple[str, list[str], float, Entry]] = []

    def of(name: str) -> Totals:
        return total([entry for _, names, _, entry in model if name in names])

    for what, number, detail in todo:
        if what == "reserve":
            names = [TOTAL, *([f"user:{detail}"] if detail else [])]
            expected = all(has_room(of(name), number, caps[name]) for name in names)
            reservation = reserve(budgets, number, *names)
            assert bool(reservation) is expected
            if reservation:
                model.append((reservation, names, clock.now + LEASE, Entry(number)))
        elif what == "expire":
            clock.now += number
            budgets.expire()
            model = [
                (key, names, end, ended(entry, None) if end < clock.now and entry.state == "open" else entry)
                for key, names, end, entry in model
            ]
        elif number < len(model):
            key, names, end, entry = model[number]
            budgets.settle(key, detail) if what == "settle" else budgets.release(key)
            model[number] = (key, names, end, ended(entry, detail) if what == "settle" else released(entry))
        for name in caps:
            assert totals(database, name) == of(name)
    assert imbalances(database, TODAY) == []
