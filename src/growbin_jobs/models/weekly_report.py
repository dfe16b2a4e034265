"""The table ``weekly_report``: what was analysed in a week, one row however often it is counted."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.platform.measures.histogram import LOG_GROWTH, percentile

#: SQL of the bucket of the latency histogram (``platform/measures/histogram``), from milliseconds.
_BUCKET: Final = {
    dialect: f"CASE WHEN {span} <= 1 THEN 0 ELSE CAST(ceil(ln({span}) / {LOG_GROWTH!r} - 1e-9) AS BIGINT) END"
    for dialect, span in {
        "postgresql": "CAST(extract(epoch FROM completed_at - created_at) * 1000 AS DOUBLE PRECISION)",
        "sqlite": "((julianday(completed_at) - julianday(created_at)) * 86400000.0)",
    }.items()
}


class WeeklyReportRow(peewee.Model):
    """Table ``weekly_report``. ``migrations/`` creates it; a test holds the two together."""

    week = peewee.TextField()
    zone = peewee.TextField()
    since = UtcField()
    until = UtcField()
    analyses = peewee.BigIntegerField()
    by_status = JsonField()
    by_category = JsonField()
    by_item = JsonField()
    failures = JsonField()
    written_at = UtcField()
    latency = JsonField(null=True)
    requests = peewee.BigIntegerField(null=True)
    cost = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "weekly_report"
        primary_key = peewee.CompositeKey("week", "zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyReport:
    """Counts of the analyses that were asked for in one week. Times are aware, in UTC.

    Attributes:
      week: By ISO 8601, such as ``2026-W48``.
      zone: Whose Mondays.
      since, until: Its beginning and its end, which does not belong to it.
      by_status: Number of analyses in each status, when it was counted.
      by_category: Number of those that were classified.
      by_item: The same by ``category/item/state``.
      failures: Number of those that failed, by ``stage/reason``.
      latency: Seconds from the request to the advice that 50 and 95 of 100 completed analyses did not exceed (``p50``,
        ``p95``), at most 2 % away; None where there was none.
      requests: HTTP requests to models.
      cost: Of those whose price is known, in micro-dollars.
    """

    week: str
    zone: str
    since: datetime
    until: datetime
    analyses: int
    by_status: dict[str, int]
    by_category: dict[str, int]
    by_item: dict[str, int]
    failures: dict[str, int]
    written_at: datetime
    latency: dict[str, float | None] | None = None
    requests: int | None = None
    cost: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }


class WeeklyReports:
    """The only writer of ``weekly_report``.

    Parameters:
      database: Where the table is.
      zone: Of the weeks.
    """

    def __init__(self, database: Database, zone: ZoneInfo) -> None:
        self.database = database
        self._zone = zone

    def write(self, connection: Any, since: datetime, until: datetime) -> WeeklyReport:
        """Count a week and write its row, in the caller's transaction.

        Parameters:
          since, until: Its beginning and its end, which does not belong to it.
        """
        report = self.count(connection, since, until)
        self.store(connection, report)
        return report

    def count(self, connection: Any, since: datetime, until: datetime) -> WeeklyReport:
        """Count a week, and write nothing."""
        row = WasteAnalysis
        in_week = (row.created_at >= since) & (row.created_at < until)
        by_status = _counted(connection, in_week, row.status)
        latency, (requests, cost) = self._latency(connection, in_week), self._paid(connection, since, until)
        return WeeklyReport(
            latency=latency,
            requests=requests,
            cost=cost,
            week=f"{since.astimezone(self._zone):%G-W%V}",
            zone=self._zone.key,
            since=since,
            until=until,
            analyses=sum(by_status.values()),
            by_status=by_status,
            by_category=_counted(connection, in_week & row.category.is_null(False), row.category),
            by_item=_counted(connection, in_week & row.category.is_null(False), row.category, row.item, row.state),
            failures=_counted(connection, in_week & (row.status == "failed"), row.failed_stage, row.error_code),
            written_at=datetime.now(UTC),
        )

    @staticmethod
    def store(connection: Any, report: WeeklyReport) -> None:
        """Write a report's row, in the caller's transaction; a second one of the week takes its place."""
        values = asdict(report)
        update = {getattr(WeeklyReportRow, name): value for name, value in values.items()}
        target = [WeeklyReportRow.week, WeeklyReportRow.zone]
        WeeklyReportRow.insert(values).on_conflict(conflict_target=target, update=update).execute(connection)

    def of_week(self, week: str) -> WeeklyReport | None:
        """Return the report of an ISO week, or None."""
        row = WeeklyReportRow
        rows = self.database.rows(row.select().where((row.week == week) & (row.zone == self._zone.key)))
        return WeeklyReport(**rows[0]) if rows else None

    def before(self, since: datetime) -> WeeklyReport | None:
        """Return the report of the week that ends where another one begins, or None."""
        row = WeeklyReportRow
        rows = self.database.rows(row.select().where((row.until == since) & (row.zone == self._zone.key)))
        return WeeklyReport(**rows[0]) if rows else None

    def _latency(self, connection: Any, in_week: Any) -> dict[str, float | None]:
        row = WasteAnalysis
        bucket = peewee.SQL(_BUCKET[self.database.dialect])
        done = in_week & (row.status == "completed") & row.completed_at.is_null(False)
        query = row.select(bucket, peewee.fn.COUNT(row.id)).where(done).group_by(bucket).tuples()
        buckets = {int(number): int(count) for number, count in query.execute(connection)}
        spans = {name: percentile(buckets, share) for name, share in (("p50", 0.5), ("p95", 0.95))}
        return {name: None if value is None else round(value / 1000, 3) for name, value in spans.items()}

    def _paid(self, connection: Any, since: datetime, until: datetime) -> tuple[int, int]:
        sql = SqlWords(self.database.dialect)
        sums = "SELECT count(*), coalesce(sum(cost), 0) FROM llm_usage WHERE sent_at >= ? AND sent_at < ?"
        moments = [WeeklyReportRow.since.db_value(each) for each in (since, until)]
        [(requests, cost)] = sql.rows(connection, sums, *moments)
        return int(requests), int(cost)

    def all(self) -> list[WeeklyReport]:
        """Return all reports, the latest week first."""
        rows = self.database.rows(WeeklyReportRow.select().order_by(WeeklyReportRow.since.desc()))
        return [WeeklyReport(**row) for row in rows]


def _counted(connection: Any, where: Any, *columns: Any) -> dict[str, int]:
    """Return how many analyses there are of each value, or of each combination of values."""
    query = WasteAnalysis.select(*columns, peewee.fn.COUNT(WasteAnalysis.id)).where(where).group_by(*columns)
    rows = query.order_by(*columns).tuples().execute(connection)
    return {"/".join(str(part) for part in values): int(count) for *values, count in rows}
