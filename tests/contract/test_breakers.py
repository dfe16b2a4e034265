"""The breakers of the cluster on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.limits.breaker import FIRST_PAUSE, THRESHOLD, Admission
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.models import SCHEMA


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=8, timeout=10)
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture
def breakers(database: Database) -> Breakers:
    return Breakers(database)


def passes(database: Database, seconds: float) -> None:
    """Let time pass: every moment of the row lies further back."""
    sql = f"UPDATE breaker SET open_until = open_until - {seconds}, probe_until = probe_until - {seconds}"
    database.run(lambda connection: connection.execute_sql(sql))


def test_what_nobody_told_of_is_closed_and_costs_no_row(breakers: Breakers) -> None:
    breakers.succeeded("m")

    assert breakers.admit("m") == Admission()
    assert breakers.all() == []


def test_an_outage_from_its_beginning_to_its_end(breakers: Breakers, database: Database) -> None:
    for _ in range(THRESHOLD):
        breakers.failed("m", age=0.0, reason="failed")
    waits = [breakers.admit("m").wait for _ in range(3)]
    assert all(FIRST_PAUSE - 2 < wait <= FIRST_PAUSE for wait in waits)
    assert breakers.admit("another") == Admission()

    passes(database, FIRST_PAUSE)
    probe = breakers.admit("m")
    assert probe.probe == 1
    assert breakers.admit("m").wait > 0
    breakers.succeeded("m", probe=probe.probe)

    [closed] = breakers.all()
    assert (closed.state, closed.failures) == ("closed", 0)
    assert breakers.admit("m").share < 0.5


def test_an_operator_s_cause_and_his_reset(breakers: Breakers) -> None:
    opened = breakers.failed("m", age=1.0, reason="model_quota_exhausted", needs_operator=True)

    assert (opened.state, opened.reason) == ("operator", "model_quota_exhausted")
    assert breakers.admit("m").wait > 0
    breakers.reset("m")
    assert breakers.admit("m").wait == 0


def test_of_all_who_ask_at_the_end_of_a_pause_one_is_the_probe(breakers: Breakers, database: Database) -> None:
    for _ in range(THRESHOLD):
        breakers.failed("m", age=0.0, reason="failed")
    passes(database, FIRST_PAUSE)
    together = threading.Barrier(8)

    def ask() -> Admission:
        together.wait(20)
        return breakers.admit("m")

    with ThreadPoolExecutor(8) as pool:
        found = [one.result(60) for one in [pool.submit(ask) for _ in range(8)]]

    assert sorted(one.probe is not None for one in found) == [False] * 7 + [True]
