"""What every store of limits promises: in memory, on SQLite, on PostgreSQL."""

import json
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests import command_line
from tests.upgraded import upgrade
from tests.whole import WHOLE

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import ConfigurationError, Permanent
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.port import LimitStore
from growbin_jobs.limits.server_change import HOLD
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.models import SCHEMA

#: Long enough that no time passes as far as the limit is concerned.
SLOW = 1000.0

#: For which several processes take at once, each as fast as it can.
SECONDS = 3.0 if WHOLE else 1.5

KINDS = ["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


def opened(url: str | None, path: Path) -> Database:
    return open_database(url, default_path=path, pool_size=4, timeout=10)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LimitStore]:
    if request.param == "memory":
        yield MemoryLimits()
        return
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    database = opened(url, tmp_path / "central.db")
    upgrade(database, SCHEMA)
    yield SqlLimits(database)
    database.close()


def tats(store: LimitStore) -> dict[str, float]:
    return {limit.name: limit.tat for limit in store.limits()}


def test_all_or_nothing_and_the_refusal_names_the_limit(store: LimitStore) -> None:
    store.ensure([Limit("vision", SLOW, 10), Limit("user:u1", SLOW, 1), Limit("model:m", SLOW, 10)])
    costs = {"vision": 1, "user:u1": 1, "model:m": 1}

    first = store.take(costs)
    before = tats(store)
    refusals = [store.take(costs) for _ in range(50)]

    assert first.decision.granted
    assert {charge.name for charge in first.charges} == set(costs)
    assert {(each.decision.granted, each.decision.limit, each.charges) for each in refusals} == {(False, "user:u1", ())}
    assert all(0 < each.decision.wait <= SLOW for each in refusals)
    assert tats(store) == before, "a refusal uses nothing of the others"
    assert store.take({"vision": 1, "model:m": 1}).decision.granted


def test_a_burst_and_then_the_spacing(store: LimitStore) -> None:
    store.ensure([Limit("a", SLOW, 3)])

    assert [store.take({"a": 1}).decision.granted for _ in range(5)] == [True, True, True, False, False]


def test_costs_count(store: LimitStore) -> None:
    store.ensure([Limit("tokens", SLOW, 1000)])

    assert [store.take({"tokens": cost}).decision.granted for cost in (600, 500, 400, 1)] == [True, False, True, False]


def test_a_place_in_the_line_is_taken_once_and_in_order(store: LimitStore) -> None:
    store.ensure([Limit("a", 10.0, 1), Limit("b", 10.0, 100)])
    store.take({"a": 1})
    before = tats(store)

    places = [store.take({"a": 1, "b": 1}, reserve=True) for _ in range(3)]

    starts = [place.decision.start for place in places]
    assert [round(later - earlier, 6) for earlier, later in pairwise(starts)] == [10.0, 10.0]
    assert [[charge.name for charge in place.charges] for place in places] == [["a"]] * 3
    assert tats(store)["b"] == before["b"]


def test_no_place_is_reserved_beyond_the_horizon(store: LimitStore) -> None:
    store.ensure([Limit("a", 3000.0, 1)])
    store.take({"a": 1})

    places = [store.take({"a": 1}, reserve=True) for _ in range(3)]

    assert [len(place.charges) for place in places] == [1, 0, 0]


def test_patience_grants_what_starts_soon(store: LimitStore) -> None:
    store.ensure([Limit("a", 1.0, 1)])

    waits = [store.take({"a": 1}, patience=2.5).decision for _ in range(5)]

    assert [each.granted for each in waits] == [True, True, True, False, False]
    assert waits[2].wait == pytest.approx(2.0, abs=0.5)


def test_the_last_grant_can_be_given_back_and_no_other(store: LimitStore) -> None:
    store.ensure([Limit("a", SLOW, 2), Limit("b", SLOW, 5)])
    first = store.take({"a": 1, "b": 1})
    before = tats(store)
    second = store.take({"a": 1, "b": 1})

    assert store.give_back(second.charges)
    assert tats(store) == before
    assert store.take({"a": 1, "b": 1}).decision.granted
    assert not store.give_back(first.charges), "somebody was granted after it"
    assert not store.give_back(second.charges), "twice"
    assert not store.take({"a": 1}).decision.granted


def test_a_hold_stops_everybody_and_only_grows(store: LimitStore) -> None:
    store.ensure([Limit("a", 0.001, 1), Limit("b", 0.001, 1)])

    assert store.hold("a", 60) == pytest.approx(60, abs=2)
    assert store.hold("a", 5) == pytest.approx(60, abs=5)
    refused = store.take({"a": 1, "b": 1}).decision
    assert (refused.granted, refused.limit) == (False, "a")
    assert 50 < refused.wait <= 60
    assert store.take({"b": 1}).decision.granted


def test_a_limit_that_is_changed_keeps_what_was_charged(store: LimitStore) -> None:
    store.ensure([Limit("a", SLOW, 1)])
    store.take({"a": 1})
    before = tats(store)

    store.ensure([Limit("a", 0.5, 4, tat=5.0, held_until=1e12)])

    [changed] = store.limits()
    assert (changed.spacing, changed.burst, changed.tat, changed.held_until) == (0.5, 4, before["a"], 0.0)


def test_a_moment_from_a_wrong_clock_heals(store: LimitStore) -> None:
    store.ensure([Limit("a", 0.5, 1, tat=time.time() + 1e6)])

    assert store.take({"a": 1}).decision.granted
    assert not store.take({"a": 1}).decision.granted


@pytest.mark.parametrize("costs", [{}, {"a": 0}, {"a": -1}, {"a": float("nan")}, {"a": float("inf")}, {"a": 1, "b": 1}])
def test_what_makes_no_sense_is_a_wrong_configuration(store: LimitStore, costs: dict[str, float]) -> None:
    store.ensure([Limit("a", SLOW, 1)])
    with pytest.raises(ConfigurationError):
        store.take(costs)

    assert tats(store) == {"a": 0.0}


def test_what_can_never_be_granted_is_refused_for_good_with_its_numbers(store: LimitStore) -> None:
    store.ensure([Limit("requests", SLOW, 5), Limit("tokens", 0.001, 30_000)])
    with pytest.raises(Permanent) as refusal:
        store.take({"requests": 1, "tokens": 30_601})

    assert (refusal.value.code, refusal.value.params) == (
        "model_request_too_large",
        {"limit": 30_000, "requested": 30_601},
    )
    assert set(tats(store).values()) == {0.0}


@pytest.mark.parametrize("kind", KINDS[1:])
def test_many_processes_together_get_what_one_may(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = request.getfixturevalue("upgraded_postgres_url") if kind == "postgresql" else None
    path, spacing, burst = tmp_path / "central.db", 0.05, 2
    database = opened(url, path)
    upgrade(database, SCHEMA)
    SqlLimits(database).ensure([Limit("a", spacing, burst), Limit("b", 0.001, 50)])
    database.close()
    command = [sys.executable, str(Path(__file__).with_name("limit_taker.py")), url or "", str(path), str(SECONDS)]
    processes = [command_line.start_python(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    starts = sorted(start for each in processes for start in json.loads(each.communicate(timeout=90)[0]))

    for window in (0.05, 0.2, 0.5, 1.0, 2.0):
        most = max(bisect_right(starts, first + window) - index for index, first in enumerate(starts))
        assert most <= burst + window / spacing + 1e-6
    assert len(starts) > 10


def test_after_a_failover_all_limits_are_held_for_a_window(upgraded_postgres_url: str, tmp_path: Path) -> None:
    """The start time that is on record is another server's: that one's last grants may be lost."""
    database = opened(upgraded_postgres_url, tmp_path)
    upgrade(database, SCHEMA)
    before, nodes = SqlLimits(database), [SqlLimits(database) for _ in range(2)]
    before.ensure([Limit("a", 0.001, 1), Limit("b", 0.001, 1)])
    assert before.take({"a": 1}).decision.granted
    database.run(lambda connection: connection.execute_sql("UPDATE limit_server SET started = started - 1"))

    for node in nodes:
        refused = node.take({"a": 1, "b": 1})
        assert not refused.decision.granted
        assert HOLD - 10 < refused.decision.wait <= HOLD
        assert refused.charges == ()
    database.run(lambda connection: connection.execute_sql("UPDATE call_limit SET held_until = 0"))
    assert all(node.take({"a": 1}, patience=1).decision.granted for node in nodes), "once for each change"
    database.close()


def test_a_process_that_was_there_before_the_failover_does_not_trust_the_first_answer(
    upgraded_postgres_url: str, tmp_path: Path
) -> None:
    database = opened(upgraded_postgres_url, tmp_path)
    upgrade(database, SCHEMA)
    store = SqlLimits(database)
    store.ensure([Limit("a", SLOW, 5)])
    store.take({"a": 1})
    before = tats(store)
    store._server._known = 1.0

    assert store.take({"a": 1}).decision.granted, "nobody else has noticed a change, and the record agrees"
    [limit] = store.limits()
    assert limit.tat == pytest.approx(before["a"] + SLOW), "charged once"
    database.close()
