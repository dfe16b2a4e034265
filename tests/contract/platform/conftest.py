"""The platform's tables on both databases, and a clock that a test sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.contract.conftest import empty_tables

from growbin_jobs.engine.central.database import Database
from growbin_jobs.platform.statistics.aggregation import Statistics
from growbin_jobs.platform.tables.facts import ApiCall, Facts, Login, Session, User
from growbin_jobs.platform.tables.partitions import PARTITIONED, Partitions
from growbin_jobs.platform.tables.slots import Slots
from growbin_jobs.platform.tables.statistics import StatisticsTable

SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture
def database(upgraded: Database) -> Database:
    """A central database of each kind with an empty platform, without any months."""
    empty(upgraded)
    return upgraded


def empty(database: Database) -> None:
    """Delete all rows and all months of the platform's tables."""
    partitions = Partitions(database)
    for table in PARTITIONED:
        partitions.drop(table, datetime(2100, 1, 1, tzinfo=UTC), if_empty=False)
    empty_tables(database, ("growbin_jobs.platform",))


class World:
    """The platform's facts and statistics at a time that the test sets."""

    def __init__(self, database: Database, zone: ZoneInfo = SEOUL) -> None:
        self.database = database
        self.now = datetime(2026, 11, 27, 15, 5, tzinfo=UTC)  # 00:05 in Seoul
        self.facts = Facts(database, clock=self.clock)
        self.table = StatisticsTable(database, clock=self.clock)
        self.slots = Slots(database)
        self.statistics = self.in_zone(zone)
        self._ids = count(1)

    def clock(self) -> datetime:
        return self.now

    def in_zone(self, zone: ZoneInfo) -> Statistics:
        return Statistics(self.table, self.slots, zone=zone, clock=self.clock)

    def user(self, user: str, at: datetime) -> None:
        self.facts.record(User, [{"id": user, "created_at": at, "deleted_at": None}])

    def login(self, user: str, at: datetime) -> None:
        self.facts.record(Login, [{"id": f"l{next(self._ids)}", "user_id": user, "at": at}])

    def session(self, user: str, at: datetime, ended: datetime | None = None) -> str:
        session_id = f"s{next(self._ids)}"
        row = {"id": session_id, "user_id": user, "started_at": at, "ended_at": ended}
        self.facts.record(Session, [row])
        return session_id

    def call(self, at: datetime, *, model: str | None = None, status: int = 200, ms: int = 100, cost: int = 7) -> None:
        self.calls([(at, model, status, ms, cost)])

    def calls(self, rows: list[tuple[datetime, str | None, int, int, int]]) -> None:
        self.facts.record(
            ApiCall,
            [
                {
                    "id": f"c{next(self._ids)}", "at": at, "user_id": "u1", "model": model, "purpose": "chat",
                    "status": status, "latency_ms": ms, "tokens_in": 10, "tokens_out": 5, "cost": cost,
                }
                for at, model, status, ms, cost in rows
            ],
        )  # fmt: skip

    def row(self, label: str) -> dict[str, Any]:
        from growbin_jobs.platform.measures.periods import kind_of, period_of

        found = self.table.find(period_of(kind_of(label), label, SEOUL))
        assert found is not None
        return found


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def seoul(day: int, hour: int = 12, minute: int = 0, *, month: int = 11) -> datetime:
    """A time of Seoul in 2026."""
    return datetime(2026, month, 1, hour, minute, tzinfo=SEOUL) + timedelta(days=day - 1)
