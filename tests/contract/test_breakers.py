"""One contract for the stores of breakers: memory, SQLite, PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.upgraded import upgrade

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.breaker import PROBE_LEASE, RAMP, Admission
from growbin_jobs.limits.breaker_failures import FIRST_PAUSE, THRESHOLDS, Failure
from growbin_jobs.limits.breaker_store import BreakerStore, MemoryBreakers
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.models import SCHEMA

#: Lets so many seconds pass.
Passes = Callable[[float], None]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[BreakerStore, Passes]]:
    if request.param == "memory":
        now = [1000.0]
        yield MemoryBreakers(clock=lambda: now[0]), lambda seconds: now.__setitem__(0, now[0] + seconds)
        return
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=8, timeout=10)
    upgrade(database, SCHEMA)
    yield Breakers(database), lambda seconds: move_back(database, seconds)
    database.close()


def move_back(database: Database, seconds: float) -> None:
    """Let time pass for the database: all moments of its rows lie further back."""
    moments = ("open_until", "changed_at", "probe_until", "failed_at", "held_at", "proven_at", "told_at")
    sets = ", ".join(f"{each} = CASE WHEN {each} = 0 THEN 0 ELSE {each} - {seconds} END" for each in moments)
    database.run(lambda connection: connection.execute_sql(f"UPDATE breaker SET {sets}"))
    database.run(
        lambda connection: connection.execute_sql(f"UPDATE breaker_failure SET failed_at = failed_at - {seconds}")
    )


@pytest.fixture
def breakers(store: tuple[BreakerStore, Passes]) -> BreakerStore:
    return store[0]


@pytest.fixture
def passes(store: tuple[BreakerStore, Passes]) -> Passes:
    return store[1]


def fails(breakers: BreakerStore, times: int = THRESHOLDS["outage"], **options: str) -> None:
    for _ in range(times):
        breakers.failed("m", Failure("failed", **options))


def test_what_nobody_told_of_is_closed_and_costs_no_row(breakers: BreakerStore) -> None:
    breakers.succeeded("m", age=1.0)
    breakers.unused("m", probe=1)
    breakers.told("m", by_server=500.0, per_minute=100.0)

    assert breakers.admit("m", per_minute=100.0, message_id="a") == Admission(settled=True)
    assert breakers.may_send("m") == 0
    assert not breakers.reset("m")
    assert breakers.all() == []


def test_an_outage_from_its_beginning_to_its_end(breakers: BreakerStore, passes: Passes) -> None:
    fails(breakers)
    waits = [breakers.admit("m").wait for _ in range(3)]
    assert all(FIRST_PAUSE - 2 < wait <= FIRST_PAUSE for wait in waits)
    assert 0 < breakers.may_send("m") <= FIRST_PAUSE
    assert breakers.admit("another") == Admission(settled=True)

    passes(FIRST_PAUSE)
    probe = breakers.admit("m")
    assert probe.probe == 1
    assert breakers.admit("m").wait > 0
    breakers.succeeded("m", age=0.5, probe=probe.probe)

    [(closed, now)] = breakers.all()
    assert (closed.state, closed.failures) == ("closed", 0)
    assert 0 <= now - closed.changed_at < 60
    assert breakers.admit("m", per_minute=100.0).wait == 0
    assert 5 < breakers.admit("m", per_minute=100.0).wait <= 6, "a tenth of the limit"


def test_a_success_need_not_be_told_that_changes_nothing(breakers: BreakerStore, passes: Passes) -> None:
    assert breakers.admit("m").settled
    fails(breakers, 1)
    assert not breakers.admit("m").settled
    passes(5)
    breakers.succeeded("m", age=1.0)
    assert breakers.admit("m").settled

    before = breakers.all()[0][0]
    for age in (0.0, 1.0, 100.0):
        breakers.succeeded("m", age=age)
    assert breakers.all()[0][0] == before

    fails(breakers)
    assert not breakers.admit("m").settled, "it is open"


def test_an_operator_s_cause_and_his_reset(breakers: BreakerStore) -> None:
    noted = breakers.failed("m", Failure("model_quota_exhausted", age=1.0))
    again = breakers.failed("m", Failure("model_quota_exhausted", age=1.0))

    assert (noted.breaker.state, noted.breaker.reason, noted.opened) == ("operator", "model_quota_exhausted", True)
    assert not again.opened, "who was under way says nothing new"
    assert breakers.admit("m").wait > 0
    assert breakers.reset("m")
    assert breakers.admit("m").wait == 0


def test_a_probe_is_given_back(breakers: BreakerStore, passes: Passes) -> None:
    fails(breakers)
    passes(FIRST_PAUSE)
    probe = breakers.admit("m")
    assert probe.probe is not None
    breakers.unused("m", probe=probe.probe)

    assert breakers.admit("m").probe == probe.probe + 1


def test_a_message_s_own_fault_is_known_on_every_node(breakers: BreakerStore, passes: Passes) -> None:
    first = breakers.failed("m", Failure("failed", message_id="bad"))
    passes(5)
    breakers.succeeded("m", age=1.0)
    second = breakers.failed("m", Failure("failed", message_id="bad"))
    other = breakers.failed("m", Failure("failed", message_id="good"))

    assert (first.own_fault, second.own_fault, other.own_fault) == (False, True, False)


def test_a_lower_limit_is_told_to_everybody(breakers: BreakerStore) -> None:
    breakers.told("m", by_server=30.0, per_minute=100.0)

    assert breakers.admit("m", per_minute=100.0).wait == 0
    assert 1 < breakers.admit("m", per_minute=100.0).wait <= 2


def test_of_all_who_ask_at_the_end_of_a_pause_one_is_the_probe(breakers: BreakerStore, passes: Passes) -> None:
    fails(breakers)
    passes(FIRST_PAUSE)
    together = threading.Barrier(8)

    def ask() -> Admission:
        together.wait(20)
        return breakers.admit("m")

    with ThreadPoolExecutor(8) as pool:
        found = [one.result(60) for one in [pool.submit(ask) for _ in range(8)]]

    assert sorted(one.probe is not None for one in found) == [False] * 7 + [True]


def test_failures_that_come_together_all_count(breakers: BreakerStore) -> None:
    together = threading.Barrier(8)

    def fail(number: int) -> None:
        together.wait(20)
        breakers.failed("m", Failure("failed", message_id=str(number)))

    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(fail, number) for number in range(8)]:
            one.result(60)

    assert breakers.all()[0][0].state == "open"


YEAR = 365 * 86_400.0


@pytest.mark.parametrize("back", [3600.0, YEAR], ids=["an hour", "a year"])
def test_a_clock_that_is_set_back_keeps_nobody_away(breakers: BreakerStore, passes: Passes, back: float) -> None:
    fails(breakers)
    assert breakers.admit("m").wait > 0

    passes(-back)

    assert breakers.admit("m").wait <= FIRST_PAUSE + 1
    assert breakers.may_send("m") <= FIRST_PAUSE + 1
    passes(FIRST_PAUSE + 1)
    assert breakers.admit("m").probe is not None


@pytest.mark.parametrize("back", [3600.0, YEAR], ids=["an hour", "a year"])
def test_a_clock_that_is_set_back_makes_no_failure_old(breakers: BreakerStore, passes: Passes, back: float) -> None:
    """And a probe that was leased before is free after its lease."""
    fails(breakers)
    passes(FIRST_PAUSE)
    probe = breakers.admit("m").probe
    passes(-back)
    assert breakers.admit("m").wait <= PROBE_LEASE
    breakers.reset("m")
    passes(-back)
    passes(RAMP)
    fails(breakers)

    [(breaker, _)] = breakers.all()
    assert probe is not None
    assert breaker.state == "open"
    assert breakers.admit("m").wait <= FIRST_PAUSE
