"""The table ``weekly_report``: what was analysed in a week, one row however often it is counted."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField
from growbin_jobs.models.analysis import WasteAnalysis


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
        row = WasteAnalysis
        in_week = (row.created_at >= since) & (row.created_at < until)
        by_status = _counted(connection, in_week, row.status)
        report = WeeklyReport(
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
        values = asdict(report)
        update = {getattr(WeeklyReportRow, name): value for name, value in values.items()}
        target = [WeeklyReportRow.week, WeeklyReportRow.zone]
        WeeklyReportRow.insert(values).on_conflict(conflict_target=target, update=update).execute(connection)
        return report

    def all(self) -> list[WeeklyReport]:
        """Return all reports, the latest week first."""
        rows = self.database.rows(WeeklyReportRow.select().order_by(WeeklyReportRow.since.desc()))
        return [WeeklyReport(**row) for row in rows]


def _counted(connection: Any, where: Any, *columns: Any) -> dict[str, int]:
    """Return how many analyses there are of each value, or of each combination of values."""
    query = WasteAnalysis.select(*columns, peewee.fn.COUNT(WasteAnalysis.id)).where(where).group_by(*columns)
    rows = query.order_by(*columns).tuples().execute(connection)
    return {"/".join(str(part) for part in values): int(count) for *values, count in rows}
