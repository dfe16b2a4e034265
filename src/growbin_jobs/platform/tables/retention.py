"""Reads and deletes old rows in batches; what is counted or archived is checked in the transaction that deletes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.errors import Permanent, Transient
from growbin_jobs.platform.measures.periods import periods_between
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.archives import mark_deleted
from growbin_jobs.platform.tables.dirty import SLOT, Clock, StatisticsDirty, slot_of, utc_now
from growbin_jobs.platform.tables.sources import Source
from growbin_jobs.platform.tables.statistics import Statistic


class RetentionTable:
    """Reads and deletes old rows.

    Parameters:
      database: Where the tables are; every method raises Deferred when it is away.
      zone: Of the periods that must be counted.
      clock: Returns the time, aware.
    """

    def __init__(self, database: Database, *, zone: ZoneInfo, clock: Clock = utc_now) -> None:
        self._database = database
        self._zone = zone
        self._clock = clock

    def count(self, source: Source, before: datetime) -> int:
        """Return how many rows are older than a time."""
        query = source.model.select().where(source.where(before))
        return self._database.run(lambda connection: int(query.count(connection)))

    def batch(self, source: Source, before: datetime, limit: int) -> list[dict[str, Any]]:
        """Return the oldest rows, always in the same order."""
        return self._database.rows(_oldest(source, before, limit))

    def delete_batch(self, source: Source, before: datetime, limit: int) -> int:
        """Delete the oldest rows of a source that is neither counted nor archived; returns how many."""
        if source.counted_by is not None:
            raise ValueError(f"{source.name} is counted: delete what was archived")

        def work(connection: Any) -> int:
            rows = list(_oldest(source, before, limit).dicts().execute(connection))
            _delete(connection, source, rows, self._database.dialect)
            return len(rows)

        return self._database.transaction(work)

    def delete_archived(self, source: Source, archive_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Delete rows that are in a verified archive, if all of them are counted and none has changed since.

        Raises:
          Permanent: ``retention_not_counted``. Nothing was deleted.
          Transient: A row has changed since it was archived. Nothing was deleted.
        """

        def work(connection: Any) -> str | None:
            found = _by_keys(connection, source, rows, self._database.dialect)
            if not found:  # deleted by an earlier try, whose answer was lost
                return None
            if len(found) != len(rows) or any(found[_key(source, row)] != row for row in rows):
                return "changed"
            missing = self._not_counted(connection, source, rows)
            if missing:
                return missing
            _delete(connection, source, rows, self._database.dialect)
            if source.counted_by is not None:
                last = max(row[source.counted_by] for row in rows)
                limits.advance(connection, source.name, slot_of(last) + SLOT)
            mark_deleted(connection, archive_id, self._clock())
            return None

        refused = self._database.transaction(work)
        if refused == "changed":
            raise Transient(f"rows of {source.name} have changed while they were archived")
        if refused is not None:
            raise Permanent("retention_not_counted", source=source.name, periods=refused)

    def missing(self, source: Source, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those of some rows that are not in their table."""
        found = self._database.transaction(
            lambda connection: _by_keys(connection, source, rows, self._database.dialect)
        )
        return [row for row in rows if _key(source, row) not in found]

    def insert(self, source: Source, rows: Sequence[dict[str, Any]]) -> int:
        """Put rows back that are not there; returns how many were put."""

        def work(connection: Any) -> int:
            before = int(source.model.select().count(connection))
            for start in range(0, len(rows), 500):
                source.model.insert_many(rows[start : start + 500]).on_conflict_ignore().execute(connection)
            return int(source.model.select().count(connection)) - before

        return self._database.transaction(work)

    def through_scratch(self, source: Source, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put rows into a scratch table of the same form, read them back, and drop it.

        Raises:
          Permanent: The database refuses a value.
        """
        scratch = f"scratch_{source.name}"
        table = peewee.Table(scratch)
        fields = source.model._meta.sorted_fields

        def work(connection: Any) -> list[dict[str, Any]]:
            end = " ON COMMIT DROP" if self._database.dialect == "postgresql" else ""
            create = f"CREATE TEMPORARY TABLE {scratch}{end} AS SELECT * FROM {source.name} WHERE 1 = 0"  # noqa: S608
            connection.execute_sql(create)
            try:
                for row in rows:
                    values = {peewee.Column(table, each.column_name): each.db_value(row[each.name]) for each in fields}
                    table.insert(values).execute(connection)
                order = [peewee.SQL(name) for name in (source.at, *source.key)]
                query = table.select(*(peewee.SQL(each.column_name) for each in fields)).order_by(*order)
                found = [tuple(each) for each in connection.execute(query).fetchall()]
            finally:
                if not end:
                    connection.execute_sql(f"DROP TABLE {scratch}")
            return [
                {each.name: each.python_value(value) for each, value in zip(fields, row, strict=True)} for row in found
            ]

        return self._database.transaction(work)

    def _not_counted(self, connection: Any, source: Source, rows: Sequence[dict[str, Any]]) -> str | None:
        """Return the first period of the rows that is not counted with all its facts, or None."""
        if source.counted_by is None:
            return None
        first, last = (pick(row[source.counted_by] for row in rows) for pick in (min, max))
        dirty = StatisticsDirty
        marked = (dirty.slot_at >= slot_of(first)) & (dirty.slot_at <= last)
        marked &= dirty.source.in_(source.counted_from or (source.name,))
        for late in dirty.select(dirty.slot_at).where(marked).limit(1).dicts().execute(connection):
            return f"what came late at {late['slot_at'].isoformat()}"
        row = Statistic
        within = (row.until > first) & (row.since <= last) & (row.stale == 0) & (row.zone == self._zone.key)
        counted = {
            (each["kind"], each["period"])
            for each in row.select(row.kind, row.period).where(within).dicts().execute(connection)
        }
        for kind in source.kinds:
            for period in periods_between(kind, first, last + timedelta(microseconds=1), self._zone):
                if (kind, period.label) not in counted:
                    return period.label
        return None


def _oldest(source: Source, before: datetime, limit: int) -> Any:
    order = [getattr(source.model, name) for name in dict.fromkeys((source.at, *source.key))]
    return source.model.select().where(source.where(before)).order_by(*order).limit(limit)


def _key(source: Source, row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in source.key)


def _matching(source: Source, rows: Sequence[dict[str, Any]], dialect: Dialect) -> Any:
    """The condition for these rows; a compound key by the tuple, so that one statement does for many."""
    columns = [getattr(source.model, name) for name in source.key]
    if len(columns) == 1:
        return columns[0].in_([row[source.key[0]] for row in rows])
    values = [
        tuple(column.db_value(row[name]) for column, name in zip(columns, source.key, strict=True)) for row in rows
    ]
    if dialect == "sqlite":  # knows no list of tuples
        return peewee.Tuple(*columns).in_(peewee.ValuesList(values))
    return peewee.Tuple(*columns).in_([peewee.Tuple(*each) for each in values])


def _by_keys(
    connection: Any, source: Source, rows: Sequence[dict[str, Any]], dialect: Dialect
) -> dict[tuple[Any, ...], dict[str, Any]]:
    found = {}
    for start in range(0, len(rows), _KEYS):
        query = source.model.select().where(_matching(source, rows[start : start + _KEYS], dialect))
        for row in (query.for_update() if dialect == "postgresql" else query).dicts().execute(connection):
            found[_key(source, row)] = row
    return found


def _delete(connection: Any, source: Source, rows: Sequence[dict[str, Any]], dialect: Dialect) -> None:
    for start in range(0, len(rows), _KEYS):
        source.model.delete().where(_matching(source, rows[start : start + _KEYS], dialect)).execute(connection)
    crashpoint("retention.rows")


#: Keys of one statement.
_KEYS: Final = 500
