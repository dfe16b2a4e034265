"""Table ``statistics``: one row for each day, week and month."""

from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField
from growbin_jobs.platform.measures.periods import Kind, Period
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.counting import Counted, count_facts, count_slots
from growbin_jobs.platform.tables.dirty import Clock, utc_now
from growbin_jobs.platform.tables.slot_counts import API_CALLS, SESSIONS

#: What a row is counted from. Where one of them is not complete any more, the row is never counted again.
SOURCES: Final = ("logins", "statistics_slots")


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
                self._store(connection, period, count_slots(connection, period))
            return missing

        return self._database.transaction(work)

    def count_from_facts(self, period: Period) -> tuple[Counted | None, list[str]]:
        """Count a period from its facts alone, without slots.

        Returns:
          The counts; or None, and the sources that are not complete any more.
        """

        def work(connection: Any) -> tuple[Counted | None, list[str]]:
            missing = limits.gone(connection, ("logins", API_CALLS, SESSIONS), period.since)
            return (None if missing else count_facts(connection, period)), missing

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
