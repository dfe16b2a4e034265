"""Roll-ups of 15 minutes: facts are counted once, days, weeks and months are sums over slots."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.platform.measures.histogram import LOG_GROWTH
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.dirty import KEPT_FOR, SLOT, Mark, dirty_slots, locked_marks, unmark

#: Sources of slots.
API_CALLS: Final = "api_calls"
SESSIONS: Final = "sessions"

#: What must be complete for a slot to be counted anew, by the table that its late fact is of. Others have no slots.
NEEDS: Final = {
    API_CALLS: (API_CALLS, "statistics_slots"),
    SESSIONS: (SESSIONS, "statistics_slots"),
    "logins": ("logins",),
    "users": (),
}

# Equal latencies are added up before they get a bucket: so the logarithm is taken once for each of them. A slot has a
# statement of its own, since SQLite sorts rows by what they are grouped by, and a time as text is slow to sort.
_ROLL_CALLS: Final = """
INSERT INTO statistics_slots (slot_at, source, model, bucket, calls, failed, tokens_in, tokens_out, cost)
SELECT ?, 'api_calls', model,
       CASE WHEN latency_ms <= 1 THEN 0
            ELSE CAST(ceil(ln(CAST(latency_ms AS DOUBLE PRECISION)) / ? - 1e-9) AS BIGINT) END,
       SUM(calls), SUM(failed), COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0), COALESCE(SUM(cost), 0)
FROM (SELECT COALESCE(model, '') AS model, latency_ms, COUNT(*) AS calls,
             SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END) AS failed,
             SUM(tokens_in) AS tokens_in, SUM(tokens_out) AS tokens_out, SUM(cost) AS cost
      FROM api_calls WHERE at >= ? AND at < ? GROUP BY 1, 2) AS latencies
GROUP BY 3, 4
"""

_ROLL_SESSIONS: Final = """
INSERT INTO statistics_slots (slot_at, source, model, bucket, calls, failed, tokens_in, tokens_out, cost)
SELECT ?, 'sessions', '', 0, COUNT(*), 0, 0, 0, 0
FROM sessions WHERE started_at >= ? AND started_at < ? GROUP BY 2
"""

#: How a slot of a source is rolled up, and the values that are no times. Users and logins have none.
_ROLL: Final[dict[str, tuple[str, tuple[float, ...]]]] = {
    API_CALLS: (_ROLL_CALLS, (LOG_GROWTH,)),
    SESSIONS: (_ROLL_SESSIONS, ()),
}

_STALE: Final = "UPDATE statistics SET stale = 1 WHERE until > ? AND since <= ?"


class StatisticsSlot(peewee.Model):
    """Table ``statistics_slots``."""

    slot_at = UtcField()
    source = peewee.TextField()
    model = WordsField()
    bucket = peewee.BigIntegerField()
    calls = peewee.BigIntegerField()
    failed = peewee.BigIntegerField()
    tokens_in = peewee.BigIntegerField()
    tokens_out = peewee.BigIntegerField()
    cost = peewee.BigIntegerField()

    class Meta:
        table_name = "statistics_slots"
        primary_key = peewee.CompositeKey("slot_at", "source", "model", "bucket")


@dataclass(slots=True)
class Rolled:
    """What a roll-up did.

    Attributes:
      slots: Slots that were counted anew.
      refused: Slots that have new facts, and older ones of the same table that are deleted: they stay marked.
    """

    slots: list[Mark] = field(default_factory=list)
    refused: list[Mark] = field(default_factory=list)


class Slots:
    """Rolls marked slots up.

    Parameters:
      database: Where the tables are; it raises Deferred when it is away, TooSlow when an hour takes too long.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def dirty(self, before: datetime) -> list[Mark]:
        """Return the marks of slots that begin before a time, in order."""
        return self._database.run(lambda connection: dirty_slots(connection, before))

    def roll(self, before: datetime, *, now: datetime) -> Rolled:
        """Roll all marked slots up that begin before a time: an hour with one transaction, the oldest first.

        Parameters:
          now: Decides which slots are too young to be unmarked.
        """
        done = Rolled()
        hours = {mark.slot_at.replace(minute=0) for mark in self.dirty(before)}
        for hour in sorted(hours):
            work = partial(self._roll, since=hour, until=min(hour + timedelta(hours=1), before), now=now)
            rolled = self._database.transaction(work)
            done.slots += rolled.slots
            done.refused += rolled.refused
        return done

    def _roll(self, connection: Any, *, since: datetime, until: datetime, now: datetime) -> Rolled:
        """Roll the marked slots of one hour up, of each source those that are complete."""
        marks, done = locked_marks(connection, self._database.dialect, since, until), Rolled()
        sources = sorted({mark.source for mark in marks})
        limit = {source: limits.complete_since(connection, NEEDS[source]) for source in sources}
        for mark in marks:
            complete_since = limit[mark.source]
            whole = complete_since is None or mark.slot_at >= complete_since
            (done.slots if whole else done.refused).append(mark)
        for slot_at, source in done.slots:
            if source in _ROLL:
                self._count(connection, source, slot_at)
        for slot_at in {mark.slot_at for mark in done.slots}:
            self._make_stale(connection, slot_at)
        # Those of young slots stay: a writer that found one may commit after this.
        old = {mark: marks[mark] for mark in done.slots if mark.slot_at + SLOT + KEPT_FOR <= now}
        unmark(connection, old)
        return done

    def _count(self, connection: Any, source: str, slot_at: datetime) -> None:
        """Count one slot of a source anew."""
        row = StatisticsSlot
        row.delete().where((row.slot_at == slot_at) & (row.source == source)).execute(connection)
        own, since, until = (row.slot_at.db_value(moment) for moment in (slot_at, slot_at, slot_at + SLOT))
        sql, numbers = _ROLL[source]
        self._sql.run(connection, sql, own, *numbers, since, until)

    def _make_stale(self, connection: Any, slot_at: datetime) -> None:
        """Note in the same transaction that rows must be counted anew: a crash before that loses nothing."""
        self._sql.run(connection, _STALE, *(StatisticsSlot.slot_at.db_value(slot_at) for _ in range(2)))
