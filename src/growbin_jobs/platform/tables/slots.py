"""Roll-ups of 15 minutes: facts are counted once, days, weeks and months are sums over slots."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import UtcField, WordsField
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

#: SQL of the begin of the slot that a moment lies in.
SLOT_AT: Final[dict[Dialect, str]] = {
    "postgresql": "to_timestamp(floor(extract(epoch FROM {at}) / 900) * 900)",
    # Times are text of fixed width: date and hour, then the begin of the quarter.
    "sqlite": "substr({at}, 1, 14) || substr('00153045', CAST(substr({at}, 15, 2) AS INTEGER) / 15 * 2 + 1, 2) "
    "|| ':00.000000+00:00'",
}

_COLUMNS: Final = "slot_at, source, model, bucket, calls, failed, tokens_in, tokens_out, cost"

_ROLL_CALLS: Final = """
INSERT INTO statistics_slots ({columns})
SELECT {slot}, 'api_calls', COALESCE(model, ''),
       CASE WHEN latency_ms <= 1 THEN 0
            ELSE CAST(ceil(ln(CAST(latency_ms AS DOUBLE PRECISION)) / {log_growth} - 1e-9) AS BIGINT) END,
       COUNT(*), SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END),
       COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0), COALESCE(SUM(cost), 0)
FROM api_calls WHERE at >= {sign} AND at < {sign} GROUP BY 1, 2, 3, 4
"""

_ROLL_SESSIONS: Final = """
INSERT INTO statistics_slots ({columns})
SELECT {slot}, 'sessions', '', 0, COUNT(*), 0, 0, 0, 0
FROM sessions WHERE started_at >= {sign} AND started_at < {sign} GROUP BY 1
"""

#: How a source is rolled up, and by which column.
_ROLL: Final = {API_CALLS: (_ROLL_CALLS, "at"), SESSIONS: (_ROLL_SESSIONS, "started_at")}


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
        for source in sources:
            for first, last in _runs([mark.slot_at for mark in done.slots if mark.source == source]):
                self._count(connection, source, first, last + SLOT)
                self._make_stale(connection, first, last)
        # Those of young slots stay: a writer that found one may commit after this.
        old = {mark: marks[mark] for mark in done.slots if mark.slot_at + SLOT + KEPT_FOR <= now}
        unmark(connection, old)
        return done

    def _count(self, connection: Any, source: str, since: datetime, until: datetime) -> None:
        """Count the slots of a source between two times anew. Users and logins have none."""
        if source not in _ROLL:
            return
        row, dialect = StatisticsSlot, self._database.dialect
        within = (row.slot_at >= since) & (row.slot_at < until)
        row.delete().where(within & (row.source == source)).execute(connection)
        sign = "%s" if dialect == "postgresql" else "?"
        values = tuple(row.slot_at.db_value(moment) for moment in (since, until))
        sql, column = _ROLL[source]
        slot = SLOT_AT[dialect].format(at=column)
        connection.execute_sql(sql.format(columns=_COLUMNS, slot=slot, sign=sign, log_growth=repr(LOG_GROWTH)), values)

    def _make_stale(self, connection: Any, first: datetime, last: datetime) -> None:
        """Note in the same transaction that rows must be counted anew: a crash before that loses nothing."""
        sign = "%s" if self._database.dialect == "postgresql" else "?"
        values = tuple(StatisticsSlot.slot_at.db_value(moment) for moment in (first, last))
        sql = f"UPDATE statistics SET stale = 1 WHERE until > {sign} AND since <= {sign}"  # noqa: S608
        connection.execute_sql(sql, values)


def _runs(slots: list[datetime]) -> list[tuple[datetime, datetime]]:
    """Return the first and last slot of each row of neighbours."""
    runs: list[tuple[datetime, datetime]] = []
    for slot in slots:
        if runs and runs[-1][1] + SLOT == slot:
            runs[-1] = (runs[-1][0], slot)
        else:
            runs.append((slot, slot))
    return runs
