"""One look of a scheduler: what is away holds up nothing else, and no clock but the database's decides."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dramatiq.errors import BrokerConnectionError
from tests.upgraded import upgrade

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.errors import Deferred
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.rows import LedgerRow
from growbin_jobs.scheduler.tick import Tick

MINUTE = timedelta(minutes=1)
JOBS = tuple(ScheduledJob(name=name, when=Every(600), route=Route(name, f"queue_{name}")) for name in ("one", "two"))


class World:
    """A database with a clock that stands, and a broker that takes what it likes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = datetime(2026, 11, 28, 3, 0, 37, tzinfo=UTC)
        self.sent: list[Any] = []
        self.refused: set[str] = set()
        self.host_ahead = 0.0
        ledger = Ledger(database, "a", clock=lambda _: self.now)
        self.tick = Tick(JOBS, ledger, self.send, ZoneInfo("Asia/Seoul"), host_clock=self.host_clock)

    def host_clock(self) -> float:
        return self.now.timestamp() + self.host_ahead

    def send(self, message: Any) -> None:
        if message.actor_name in self.refused:
            raise BrokerConnectionError("away")
        self.sent.append(message)

    def states(self) -> dict[str, str]:
        return {row["job"]: row["state"] for row in self.database.rows(LedgerRow.select())}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=2, timeout=10)
    upgrade(database, SCHEMA)
    yield World(database)
    database.close()


def test_the_message_names_its_due_time_and_its_data(world):
    assert world.tick.run_once() == {}
    world.now += 10 * MINUTE

    assert world.tick.run_once() == {"one": 1, "two": 1}
    message = world.sent[0]
    assert (message.actor_name, message.queue_name) == ("one", "queue_one")
    assert message.kwargs == {
        "due": "2026-11-28T03:10:00+00:00", "since": "2026-11-28T03:00:37+00:00", "until": "2026-11-28T03:10:00+00:00",
    }  # fmt: skip
    assert world.tick.run_once() == {}


def test_a_queue_that_refuses_holds_up_no_other_job_and_its_message_keeps_its_id(world):
    world.tick.run_once()
    world.now += 10 * MINUTE
    world.refused = {"one"}
    with pytest.raises(BrokerConnectionError):
        world.tick.run_once()
    assert world.states() == {"one": "claimed", "two": "sent"}

    world.refused = set()
    assert world.tick.run_once() == {}  # the lease has not ended
    world.now += MINUTE
    assert world.tick.run_once() == {"one": 1}
    assert len({message.message_id for message in world.sent}) == 2


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_wrong_clock_of_this_machine_is_said_once_and_changes_nothing(world, caplog, ahead):
    world.host_ahead = ahead
    with caplog.at_level(logging.WARNING):
        world.tick.run_once()
        world.now += 10 * MINUTE
        assert world.tick.run_once() == {"one": 1, "two": 1}
        world.tick.run_once()

    [record] = [record for record in caplog.records if "clock_differs" in record.message]
    assert f"seconds={ahead:.1f}" in record.message


def test_while_the_database_is_away_nothing_is_sent_and_the_look_counts_as_one(world, monkeypatch):
    world.tick.run_once()
    world.now += 10 * MINUTE
    before = world.tick.looked_at

    def away(*_: Any) -> None:
        raise Deferred("away", wait=1)

    with monkeypatch.context() as patch:
        patch.setattr(world.database, "transaction", away)
        with pytest.raises(Deferred):
            world.tick.run_once()
    assert world.sent == []
    assert world.tick.looked_at > before
    assert world.tick.run_once() == {"one": 1, "two": 1}


def test_the_table_is_registered_before_anything_is_sent_and_once(world):
    prepared = []
    world.tick.prepare = lambda: prepared.append(1)
    for _ in range(3):
        world.tick.run_once()

    assert prepared == [1]
    assert set(world.tick.ledger.registry.states()) == {"one", "two"}
