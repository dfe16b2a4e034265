"""Table ``statistics``: one row for each day, week and month, and the counting that makes it."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField
from growbin_jobs.platform.measures.histogram import percentile
from growbin_jobs.platform.measures.periods import Kind, Period
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.dirty import Clock, utc_now
from growbin_jobs.platform.tables.facts import ApiCall, Login, Session, User
from growbin_jobs.platform.tables.registry import agents_at
from growbin_jobs.platform.tables.slots import API_CALLS, SESSIONS, StatisticsSlot

#: What a row is counted from. Where one of them is not complete any more, the row is never counted again.
SOURCES: Final = ("logins", "statistics_slots")

_PERCENTILES: Final = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


class Statistic(peewee.Model):
    """Table ``statistics``. ``cost`` inside ``llm_usage`` is in micro-dollars; ``stale`` is 1 until it is recounted."""

    kind = peewee.TextField()
    period = peewee.TextField()
    zone = peewee.TextField()
    since = UtcField()
    until = UtcField()
    total_users = peewee.BigIntegerField()
    active_users = peewee.BigIntegerField()
    total_agents = peewee.BigIntegerField()
    production_agents = peewee.BigIntegerField()
    total_sessions = peewee.BigIntegerField()
    total_api_calls = peewee.BigIntegerField()
    failed_api_calls = peewee.BigIntegerField()
    llm_usage = JsonField()
    latency = JsonField()
    sources = JsonField()
    digest = peewee.TextField()
    stale = peewee.BigIntegerField()
    revision = peewee.BigIntegerField()
    computed_at = UtcField()

    class Meta:
        table_name = "statistics"
        primary_key = peewee.CompositeKey("kind", "period", "zone")
        indexes = ((("since", "until"), False),)


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


class StatisticsTable:
    """Counts and stores rows.

    Parameters:
      database: Where the tables are; every method raises Deferred when it is away.
      clock: Returns the time, aware.
    """

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def recount(self, period: Period) -> list[str]:
        """Count a period from its slots and facts, and store its row; the same counts leave the row as it is.

        Returns:
          Sources that are not complete any more: nothing was counted then, and the row is as it was.
        """

        def work(connection: Any) -> list[str]:
            missing = limits.gone(connection, SOURCES, period.since)
            if not missing:
                self._store(connection, period, _from_slots(connection, period))
            return missing

        return self._database.transaction(work)

    def count_from_facts(self, period: Period) -> tuple[Counted | None, list[str]]:
        """Count a period from its facts alone, without slots.

        Returns:
          The counts; or None, and the sources that are not complete any more.
        """

        def work(connection: Any) -> tuple[Counted | None, list[str]]:
            missing = limits.gone(connection, ("logins", API_CALLS, SESSIONS), period.since)
            return (None if missing else _from_facts(connection, period)), missing

        return self._database.transaction(work)

    def find(self, period: Period) -> dict[str, Any] | None:
        """Return the row of a period, or None."""
        row = Statistic
        its = (row.kind == period.kind) & (row.period == period.label) & (row.zone == period.zone)
        rows = self._database.rows(row.select().where(its))
        return rows[0] if rows else None

    def latest(self, kind: Kind, limit: int, *, zone: str) -> list[dict[str, Any]]:
        """Return the newest rows of a kind first."""
        row = Statistic
        query = row.select().where((row.kind == kind) & (row.zone == zone)).order_by(row.since.desc()).limit(limit)
        return self._database.rows(query)

    def stale(self) -> list[tuple[str, str, str]]:
        """Return kind, label and zone of the rows that facts have changed since their count, in order of time."""
        row = Statistic
        query = row.select(row.kind, row.period, row.zone).where(row.stale == 1).order_by(row.since, row.kind)
        return [(each["kind"], each["period"], each["zone"]) for each in self._database.rows(query)]

    def _store(self, connection: Any, period: Period, counted: Counted) -> None:
        row, new = Statistic, peewee.EXCLUDED
        place = {"kind": period.kind, "period": period.label, "zone": period.zone}
        bounds = {"since": period.since, "until": period.until}
        values = {**bounds, **counted.values(), "stale": 0, "computed_at": self._clock()}
        update: dict[Any, Any] = {getattr(row, name): getattr(new, name) for name in values}
        update[row.revision] = row.revision + peewee.Case(None, [(row.digest != new.digest, 1)], 0)
        where = (row.digest != new.digest) | (row.stale != 0)
        row.insert({**place, **values, "revision": 1}).on_conflict(
            conflict_target=[row.kind, row.period, row.zone], update=update, where=where
        ).execute(connection)


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


def _from_slots(connection: Any, period: Period) -> Counted:
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


def _from_facts(connection: Any, period: Period) -> Counted:
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
