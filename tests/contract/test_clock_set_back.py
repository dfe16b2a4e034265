"""A database whose clock was ahead, by a year, and is set right: what was leased and held then keeps nobody away."""

from __future__ import annotations

import time

import pytest
from tests.contract.test_bulk import begun
from tests.contract.test_webhooks import World

from growbin_jobs.alerts.deliveries import Deliveries
from growbin_jobs.alerts.findings import Finding
from growbin_jobs.engine.central.bulk_work import BulkWork
from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.memory import MemoryLimits
from growbin_jobs.limits.port import LimitStore
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.batch_life import State
from growbin_jobs.models.batches import Batches
from growbin_jobs.models.server_facts import ServerFacts

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
