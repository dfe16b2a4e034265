"""A database whose clock was ahead, by a year, and is set right: what was leased and held then keeps nobody away."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.contract.test_bulk import begun
from tests.contract.test_webhooks import World

from growbin_jobs.alerts.deliveries import Deliveries
from growbin_jobs.alerts.findings import Finding
from growbin_jobs.engine.central.bulk_work import BulkWork
from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.limits.budgets import Budgets
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.offline_leases import LASTS
from growbin_jobs.limits.offline_reserve import Reserves
from growbin_jobs.limits.port import LimitStore
from growbin_jobs.limits.provision import provision_of
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.batch_life import State
from growbin_jobs.models.batches import Batches
from growbin_jobs.models.erasures import Erasures
from growbin_jobs.models.server_facts import ServerFacts
from growbin_jobs.platform.tables.health import HealthTable
from growbin_jobs.rates import Rate, parse_rates

YEAR = 365 * 86_400.0


def set_right(database: Database, table: str, *columns: str) -> None:
    """What was written so far was written by a clock that was a year ahead."""
    moved = ", ".join(f"{column} = {column} + {YEAR}" for column in columns)
    database.run(lambda connection: connection.execute_sql(f"UPDATE {table} SET {moved}"))


def test_an_answer_that_somebody_asked_for_is_asked_for_again(database: Database) -> None:
    first, other = SharedAnswers(database, ttl=60.0), SharedAnswers(database, ttl=60.0)
    held = first.claim("k")
    assert held.fence is not None
    first._renewer().drop("k", held.fence)  # it dies

    set_right(database, "model_answer", "leased_until", "expires_at")
    found = other.claim("k")

    assert found.fence == held.fence + 1
    other.close()


def test_somebody_else_learns_what_a_server_can(database: Database) -> None:
    first = ServerFacts(database)
    fence = first.lead("k")
    assert fence is not None
    first._renewer().drop("k", fence)

    set_right(database, "server_facts", "leased_until")

    again = first.lead("k")
    assert again is not None
    first.release("k", again)


def test_a_batch_is_looked_at(database: Database) -> None:
    batches = Batches(database)
    database.transaction(lambda connection: batches.begin(connection, "b1", "m"))
    set_right(database, "model_batch", "leased_until", "next_at")

    batch = batches.take([State.COLLECTING])

    assert batch is not None
    assert batches.take([State.COLLECTING]) is None
    batches.rest(batch, 5.0)
    set_right(database, "model_batch", "next_at")
    assert batches.take([State.COLLECTING]) is not None


def test_how_old_a_batch_is_does_not_depend_on_a_node(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1e10)

    batch = database.transaction(lambda connection: Batches(database).begin(connection, "b1", "m"))

    assert 0 <= batch.age < 60
    assert abs(clock_of(database) - batch.made_at) < 60


def test_a_bulk_job_goes_on(database: Database) -> None:
    begun(database, 2)
    assert BulkWork(database, {}, "dies").take() is not None
    set_right(database, "bulk_jobs", "leased_until")

    assert BulkWork(database, {}, "another").take() is not None


def test_alerts_are_told(database: Database) -> None:
    world = World(database)
    world.hook("https://ops.example/hook", "queue_wait")
    world.watch("dies")
    world.found["queue_wait"] = [Finding(subject="vision", value=400.0)]
    set_right(database, "webhook_watch", "leased_until")

    assert world.watch("another") == 1


def test_a_message_to_a_webhook_is_sent(database: Database) -> None:
    deliveries = Deliveries(database)
    database.transaction(lambda connection: deliveries.add(connection, "w", "queue_wait", "{}", "m1"))
    assert deliveries.claim("dies") is not None

    set_right(database, "webhook_deliveries", "next_at", "leased_until", "give_up_at")

    assert deliveries.claim("another") is not None


@pytest.mark.parametrize("kind", ["memory", "database"])
def test_a_limit_grants(database: Database, kind: str) -> None:
    now = [time.time() + YEAR]
    store: LimitStore = SqlLimits(database) if kind == "database" else MemoryLimits(clock=lambda: now[0])
    store.ensure([Limit("x", spacing=0.6, burst=1.0)])
    store.hold("x", 60.0)
    assert not store.take({"x": 1.0}).decision.granted

    set_right(database, "call_limit", "held_until", "tat")
    now[0] -= YEAR

    assert store.take({"x": 1.0}).decision.granted


def test_a_bulk_job_begins_and_keeps_its_pace(database: Database) -> None:
    job = begun(database, 5, pace=60.0)
    set_right(database, "bulk_jobs", "begins_at")
    work = BulkWork(database, {"retry": lambda *_: None}, "a")
    taken = work.take()
    assert taken is not None
    assert taken.id == job
    assert work.step(taken).done == 2  # of this second and the one before
    set_right(database, "bulk_jobs", "next_at")

    taken = work.take()

    assert taken is not None
    assert work.step(taken).done == 1


def test_a_webhook_is_told_anew_after_its_quiet_time(database: Database) -> None:
    world = World(database)
    world.hook("https://ops.example/hook", "queue_wait", quiet=10)
    world.found["queue_wait"] = [Finding(subject="vision", value=400.0)]
    assert world.watch("a") == 1
    world.found["queue_wait"] = [Finding(subject="vision", value=400.0), Finding(subject="other", value=400.0)]
    assert world.watch("a") == 0  # it is quiet

    set_right(database, "webhook_deliveries", "created_at")

    assert world.watch("a") == 1


def test_money_that_a_dead_process_had_reserved_becomes_unknown(database: Database) -> None:
    budgets = Budgets(database, zone=ZoneInfo("Asia/Seoul"), defaults={"total": 1000})
    budgets.reserve("r1", ["total"], 500)
    assert budgets.expire() == 0

    set_right(database, "budget_entry", "expires_at")

    assert budgets.expire() == 1


def test_a_dead_nodes_offline_share_goes_to_others_within_a_lease(database: Database) -> None:
    limits = NamedLimits(parse_rates("vision=100"))
    provision_of(database, limits).make_configured()
    reserves = Reserves(database, limits)
    reserves.set("vision", 0.1)
    assert reserves.renew("dies", ["vision"])["vision"].rate == Rate(10)
    set_right(database, "limit_lease", "until")
    set_right(database, "limit_reserve", "opens")

    reserves.renew("lives", ["vision"])

    [(opens, until)] = database.run(
        lambda connection: connection.execute_sql(
            "SELECT r.opens, l.until FROM limit_reserve r JOIN limit_lease l ON l.name = r.name WHERE l.node = 'dies'"
        ).fetchall()
    )
    now = clock_of(database)
    assert opens < now + 120
    assert until < now + LASTS + 120


def test_a_node_that_is_gone_does_not_live(database: Database) -> None:
    now = datetime.now(UTC)
    of = WorkerGroup(
        node="gone", group_name="ai", version="1", pids=[1], processes=1, threads=1, queues=[], running=0, unsynced=0,
        owed=0, lag=0.0, started_at=now, seen_at=now + timedelta(days=365),
    )  # fmt: skip
    Workers(database).report("gone", [of], unsynced=0, owed=0, at=now)

    assert not Lost(database, embedded=False).living(now)
    assert list(Lost(database, embedded=False).silent(now)) == ["gone"]


def test_an_erasure_is_looked_through_again(database: Database) -> None:
    now = [datetime.now(UTC) + timedelta(days=20)]
    erasures = Erasures(database, clock=lambda: now[0])
    erasure = erasures.begin("u1", by="kim", reason="")
    erasures.add_analyses(erasure.id, ["a1"])
    erasures.found_empty("n1", erasures.due_for("n1"))
    assert not erasures.due_for("n1")

    now[0] -= timedelta(days=20)

    assert list(erasures.due_for("n1")) == [erasure.id]


def test_an_agent_is_checked(database: Database) -> None:
    now = [datetime.now(UTC) + timedelta(days=365)]
    table, lease = HealthTable(database, clock=lambda: now[0]), timedelta(seconds=30)
    assert table.claim_all(["agent:1"], due=now[0]) == ["agent:1"]
    assert table.claim("agent:1", due=now[0], lease=lease) is not None  # and the process dies

    now[0] -= timedelta(days=365)

    assert table.claim_all(["agent:1"], due=now[0]) == ["agent:1"]
    assert table.claim("agent:1", due=now[0], lease=lease) is not None
    assert table.claim("agent:1", due=now[0], lease=lease) is None
