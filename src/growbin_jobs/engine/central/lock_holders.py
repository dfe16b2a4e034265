"""Names the sessions of a PostgreSQL server that keep others from our tables.

A lock of a table has no end: one that was taken in a transaction which somebody has left open stops every worker
until that session ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database

#: Seconds between two looks: a lock that is there at both is none of those that every write takes for a moment.
_APART: Final = 1.0

#: Who has a table to itself, and who holds up somebody that wants one of the tables, directly or with a row; not who
#: waits itself. What a session does is shown to its own user only, its locks to all.
#: https://www.postgresql.org/docs/current/view-pg-locks.html
_HOLDERS: Final = """
WITH ours AS (
  SELECT to_regclass(name) AS oid, name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL
), near AS (
  SELECT pid, virtualtransaction, mode, granted, name FROM pg_locks JOIN ours ON relation = oid
  WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), waiting AS (
  SELECT DISTINCT pid FROM pg_locks WHERE NOT granted
), holding AS (
  SELECT pid FROM near WHERE granted AND mode = 'AccessExclusiveLock'
  UNION
  SELECT unnest(pg_blocking_pids(pid)) FROM waiting WHERE pid IN (SELECT pid FROM near)
)
SELECT pid, application_name, usename, xact_start,
  (SELECT min(virtualtransaction) FROM pg_locks WHERE pg_locks.pid = activity.pid),
  (SELECT min(name) FROM near WHERE near.pid = activity.pid AND granted AND mode = 'AccessExclusiveLock'),
  (SELECT min(name) FROM near WHERE near.pid = activity.pid AND granted)
FROM pg_stat_activity AS activity
WHERE pid IN (SELECT pid FROM holding) AND pid NOT IN (SELECT pid FROM waiting) AND pid <> pg_backend_pid()
ORDER BY pid
"""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A session that holds a lock for which others wait, or would.

    Attributes:
      pid: Of the server's process.
      application: As which it connected; whoever connects chooses that.
      user: Of the database.
      since: Begin of its transaction; None: only its own user and a superuser are told.
      table: One of ours that it has locked; None: the lock is another's, such as an index's.
      reads: Not even readers get at the table.
    """

    pid: int
    application: str
    user: str
    since: datetime | None
    table: str | None
    reads: bool

    def __str__(self) -> str:
        application = "".join(char if char.isprintable() else "?" for char in self.application) or "unnamed"
        began = f"since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.since else "still open"
        table = f"the table {self.table}" if self.table else "what belongs to our tables"
        kept = "nobody else can even read it" if self.reads else "others wait for it"
        return (
            f"The server's process {self.pid} (application {application}, user {self.user}, transaction {began}) has "
            f"locked {table}: {kept}. Let it end, or run as {self.user} or a superuser: "
            f"SELECT pg_terminate_backend({self.pid})"
        )


def lock_holders(database: Database, tables: Iterable[str]) -> list[LockHolder]:
    """Return the sessions that keep others from tables and go on with it; takes a second where there are some.

    Parameters:
      database: Of any kind; SQLite's files have other locks (:mod:`growbin_jobs.engine.sqlite.lock_holder`).
      tables: By name.

    Raises:
      Deferred: The database is away.
    """
    if database.dialect != "postgresql":
        return []
    names = sorted(tables)

    def ask(connection: Any) -> dict[tuple[int, str], LockHolder]:
        rows = connection.execute_sql(_HOLDERS, (names,)).fetchall()
        return {
            (pid, transaction): LockHolder(pid, application, user, since, alone or table, alone is not None)
            for pid, application, user, since, transaction, alone, table in rows
        }

    before = database.run(ask)
    if not before:
        return []
    time.sleep(_APART)
    return [holder for key, holder in database.run(ask).items() if key in before]
