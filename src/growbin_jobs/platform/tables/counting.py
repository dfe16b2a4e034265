"""Counts a period: from its slots, or from its facts alone."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import peewee

from growbin_jobs.platform.measures.histogram import percentile
from growbin_jobs.platform.measures.periods import Period
from growbin_jobs.platform.tables.facts import ApiCall, Login, Session, User
from growbin_jobs.platform.tables.registry import agents_at
from growbin_jobs.platform.tables.slot_counts import SESSIONS
from growbin_jobs.platform.tables.slots import StatisticsSlot

_PERCENTILES: Final = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(slots=True)
class Usage:
    """Calls of one model or of all. ``cost``: micro-dollars."""

    calls: int = 0
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0

    def add(self, other: "Usage") -> None:
        """Add calls to these."""
        self.calls += other.calls
        self.failed += other.failed
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.cost += other.cost


@dataclass(slots=True)
class Counted:
    """What was counted for one period.

    Attributes:
      total_users, total_agents, production_agents: At the period's end.
      active_users: Who logged in at least once.
      total_sessions: Sessions that began.
      by_model: Calls that asked a model.
      buckets: All API calls by bucket of the latency histogram.
      logins: Rows that ``active_users`` was counted from.
    """

    total_users: int = 0
    active_users: int = 0
    total_agents: int = 0
    production_agents: int = 0
    total_sessions: int = 0
    total_api_calls: int = 0
    failed_api_calls: int = 0
    by_model: dict[str, Usage] = field(default_factory=dict)
    buckets: Counter[int] = field(default_factory=Counter)
    logins: int = 0

    def values(self) -> dict[str, Any]:
        """Return the columns of the row."""
        names = (
            "total_users", "active_users", "total_agents", "production_agents", "total_sessions", "total_api_calls",
            "failed_api_calls",
        )  # fmt: skip
        usage = Usage()
        for each in self.by_model.values():
            usage.add(each)
        by_model = {model: asdict(each) for model, each in sorted(self.by_model.items())}
        latency: dict[str, Any] = {name: percentile(self.buckets, share) for name, share in _PERCENTILES.items()}
        latency["buckets"] = {str(bucket): calls for bucket, calls in sorted(self.buckets.items())}
        sources = {"logins": self.logins, "sessions": self.total_sessions, "api_calls": self.total_api_calls}
        values = {name: getattr(self, name) for name in names}
        values |= {"llm_usage": {**asdict(usage), "by_model": by_model}, "latency": latency, "sources": sources}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return values | {"digest": hashlib.sha256(text.encode()).hexdigest()}


def _at_the_end(connection: Any, period: Period, counted: Counted) -> None:
    exists = (User.created_at < period.until) & (User.deleted_at.is_null() | (User.deleted_at >= period.until))
    counted.total_users = User.select().where(exists).count(connection)
    counted.total_agents, counted.production_agents = agents_at(connection, period.until)
    within = (Login.at >= period.since) & (Login.at < period.until)
    logins = Login.select(
        peewee.fn.COUNT(Login.id).alias("logins"), peewee.fn.COUNT(Login.user_id.distinct()).alias("users")
    ).where(within)
    [found] = logins.dicts().execute(connection)
    counted.logins, counted.active_users = found["logins"], found["users"]


def count_slots(connection: Any, period: Period) -> Counted:
    """Count a period: API calls and sessions from slots, the rest from facts."""
    counted, row = Counted(), StatisticsSlot
    _at_the_end(connection, period, counted)
    sums = [peewee.fn.SUM(column).alias(column.name) for column in (
        row.calls, row.failed, row.tokens_in, row.tokens_out, row.cost
    )]  # fmt: skip
    query = row.select(row.source, row.model, row.bucket, *sums).group_by(row.source, row.model, row.bucket)
    for each in query.where((row.slot_at >= period.since) & (row.slot_at < period.until)).dicts().execute(connection):
        usage = Usage(*(int(each[name]) for name in ("calls", "failed", "tokens_in", "tokens_out", "cost")))
        if each["source"] == SESSIONS:
            counted.total_sessions += usage.calls
            continue
        counted.total_api_calls += usage.calls
        counted.failed_api_calls += usage.failed
        counted.buckets[each["bucket"]] += usage.calls
        if each["model"]:
            counted.by_model.setdefault(each["model"], Usage()).add(usage)
    return counted


def count_facts(connection: Any, period: Period) -> Counted:
    """Count a period from facts alone; latencies are left out."""
    counted = Counted()
    _at_the_end(connection, period, counted)
    begun = (Session.started_at >= period.since) & (Session.started_at < period.until)
    counted.total_sessions = Session.select().where(begun).count(connection)
    row, fn = ApiCall, peewee.fn
    failed = fn.SUM(peewee.Case(None, [(row.status >= 400, 1)], 0)).alias("failed")
    sums = [fn.COALESCE(fn.SUM(column), 0).alias(column.name) for column in (row.tokens_in, row.tokens_out, row.cost)]
    query = row.select(row.model, fn.COUNT(row.id).alias("calls"), failed, *sums).group_by(row.model)
    for each in query.where((row.at >= period.since) & (row.at < period.until)).dicts().execute(connection):
        usage = Usage(*(int(each[name]) for name in ("calls", "failed", "tokens_in", "tokens_out", "cost")))
        counted.total_api_calls += usage.calls
        counted.failed_api_calls += usage.failed
        if each["model"]:
            counted.by_model.setdefault(each["model"], Usage()).add(usage)
    return counted
