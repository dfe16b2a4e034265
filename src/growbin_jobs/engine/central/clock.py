"""The central database's clock, which all nodes share: a node's own may be wrong and decides for itself alone."""

from __future__ import annotations

from datetime import UTC, datetime

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords


def clock_of(database: Database) -> float:
    """Return its time in seconds since 1970.

    Raises:
      Deferred: The database is away.
    """
    words = SqlWords(database.dialect)
    [[seconds]] = database.run(lambda connection: words.rows(connection, "SELECT $now"))
    return float(seconds)


def time_of(database: Database) -> datetime:
    """Return its time, in UTC.

    Raises:
      Deferred: The database is away.
    """
    return datetime.fromtimestamp(clock_of(database), UTC)
