"""Monthly partitions on PostgreSQL: made ahead by the calendar, never because a row asks for one. SQLite has none."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.crashpoints import crashpoint

#: Tables that have them; each has a default partition for rows of no month.
PARTITIONED: Final = ("logs", "api_calls")

#: Months that exist ahead of the running one.
AHEAD: Final = 2

#: Of PostgreSQL's advisory lock: one maker at a time.
_LOCK: Final = 0x67726F77706172


@dataclass(frozen=True, slots=True)
class Month:
    """One partition."""

    name: str
    since: datetime
    until: datetime


class Partitions:
    """Makes and drops partitions.

    Parameters:
      database: Where the tables are; every method raises Deferred when it is away or denies the right to make tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._has_them = database.dialect == "postgresql"

    def ensure(self, now: datetime) -> list[str]:
        """Make the partitions of this month and of those ahead, with the rows that wait for them; returns the new."""
        made = []
        for table in PARTITIONED if self._has_them else ():
            for months in range(AHEAD + 1):
                month = _month(table, now, months)
                if self._database.transaction(partial(_make, table=table, month=month)):
                    made.append(month.name)
        return made

    def strays(self) -> dict[str, int]:
        """Return, by table, how many rows lie in no month's partition: there is something wrong with their times."""
        counts = {}
        for table in PARTITIONED if self._has_them else ():
            sql = f"SELECT count(*) FROM {table}_default"  # noqa: S608
            [(rows,)] = self._database.run(partial(_rows, sql=sql))
            if rows:
                counts[table] = int(rows)
        return counts

    def existing(self, table: str) -> list[str]:
        """Return the names of a table's partitions, without the default one."""
        if not self._has_them:
            return []
        sql = (
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = %s::regclass AND c.relname <> %s ORDER BY 1"
        )
        rows = self._database.run(partial(_rows, sql=sql, values=(table, f"{table}_default")))
        return [row[0] for row in rows]

    def drop(self, table: str, before: datetime, *, if_empty: bool) -> list[str]:
        """Drop the partitions whose months ended before a time.

        Parameters:
          if_empty: Leave those that have rows.

        Returns:
          The names of those that were dropped.
        """
        old = [name for name in self.existing(table) if _end_of(name) <= before]
        return [name for name in old if self._database.transaction(partial(_drop, name=name, if_empty=if_empty))]


def _month(table: str, now: datetime, ahead: int) -> Month:
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(ahead):
        first = _following(first)
    return Month(f"{table}_{first:%Y_%m}", first, _following(first))


def _following(first: datetime) -> datetime:
    return (first + timedelta(days=32)).replace(day=1)


def _end_of(name: str) -> datetime:
    year, month = name.rsplit("_", 2)[-2:]
    return _following(datetime(int(year), int(month), 1, tzinfo=UTC))


def _rows(connection: Any, sql: str, values: tuple[str, ...] | None = None) -> list[Any]:
    return list(connection.execute_sql(sql, values).fetchall())


def _make(connection: Any, table: str, month: Month) -> bool:
    connection.execute_sql("SET LOCAL lock_timeout = '5s'")
    connection.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    [(exists,)] = connection.execute_sql("SELECT to_regclass(%s) IS NOT NULL", (month.name,)).fetchall()
    if exists:
        return False
    # Rows that came before their partition move into it; nobody may add one meanwhile.
    connection.execute_sql(f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE")
    connection.execute_sql(f"CREATE TABLE {month.name} (LIKE {table} INCLUDING ALL)")
    bounds = (month.since, month.until)
    moving = (
        f"WITH moved AS (DELETE FROM {table}_default WHERE at >= %s AND at < %s RETURNING *) "  # noqa: S608
        f"INSERT INTO {month.name} SELECT * FROM moved"
    )
    connection.execute_sql(moving, bounds)
    crashpoint("partition.filled")
    connection.execute_sql(f"ALTER TABLE {table} ATTACH PARTITION {month.name} FOR VALUES FROM (%s) TO (%s)", bounds)
    return True


def _drop(connection: Any, name: str, *, if_empty: bool) -> bool:
    connection.execute_sql("SET LOCAL lock_timeout = '5s'")
    connection.execute_sql(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    if if_empty and connection.execute_sql(f"SELECT 1 FROM {name} LIMIT 1").fetchall():  # noqa: S608
        return False
    connection.execute_sql(f"DROP TABLE {name}")
    crashpoint("partition.dropped")
    return True
