"""What the workers leave behind: effects by key, and each run's beginning and end, in the central database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import peewee

from faults.history import Effect
from growbin_jobs.engine.central.database import Database

TABLES = (
    "CREATE TABLE effect (job TEXT NOT NULL, key TEXT NOT NULL, message TEXT NOT NULL,"
    " PRIMARY KEY (job, key, message))",
    "CREATE TABLE attempt (job TEXT NOT NULL, message TEXT NOT NULL, what TEXT NOT NULL)",
)


class EffectRow(peewee.Model):
    """Table ``effect``: the same message may do the same thing again and leaves one row."""

    job = peewee.TextField()
    key = peewee.TextField()
    message = peewee.TextField()

    class Meta:
        table_name = "effect"
        primary_key = peewee.CompositeKey("job", "key", "message")


class AttemptRow(peewee.Model):
    """Table ``attempt``: append only. ``begin`` before anything is done, ``end`` together with the effect."""

    job = peewee.TextField()
    message = peewee.TextField()
    what = peewee.TextField()

    class Meta:
        table_name = "attempt"
        primary_key = False


class Effects:
    """The two tables.

    Parameters:
      database: The central database, or any other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self) -> None:
        for statement in TABLES:
            self._database.run(lambda connection, sql=statement: connection.execute_sql(sql))

    def begin(self, job: str, message: str) -> int:
        """Note that a run begins, and return how many have begun of this message."""

        def work(connection: peewee.Database) -> int:
            AttemptRow.insert(job=job, message=message, what="begin").execute(connection)
            mine = (AttemptRow.message == message) & (AttemptRow.what == "begin")
            rows = list(AttemptRow.select(peewee.fn.COUNT("*")).where(mine).tuples().execute(connection))
            return int(rows[0][0])

        return self._database.transaction(work)

    def done(self, job: str, key: str, message: str) -> None:
        """Have the effect, and note that the run has done its work."""

        def work(connection: peewee.Database) -> None:
            EffectRow.insert(job=job, key=key, message=message).on_conflict_ignore().execute(connection)
            AttemptRow.insert(job=job, message=message, what="end").execute(connection)

        self._database.transaction(work)

    def all(self) -> list[Effect]:
        """Return all effects."""
        rows = self._database.rows(EffectRow.select(EffectRow.job, EffectRow.key, EffectRow.message))
        return [Effect(row["job"], row["key"], row["message"]) for row in rows]

    def begun(self) -> int:
        """Return how many runs have begun."""
        query = AttemptRow.select(peewee.fn.COUNT("*").alias("begun")).where(AttemptRow.what == "begin")
        return int(self._database.rows(query)[0]["begun"])

    def runs(self, what: str, jobs: Collection[str] | None = None) -> Counter[str]:
        """Return how often each message, of some jobs or of all, has come to its ``begin`` or ``end``."""
        query = AttemptRow.select(AttemptRow.job, AttemptRow.message).where(AttemptRow.what == what)
        rows = self._database.rows(query)
        return Counter(row["message"] for row in rows if jobs is None or row["job"] in jobs)
