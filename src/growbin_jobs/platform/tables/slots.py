"""Roll-ups of 15 minutes: facts are counted once, days, weeks and months are sums over slots."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.dirty import KEPT_FOR, SLOT, Mark, dirty_slots, locked_marks, marks_between, unmark
from growbin_jobs.platform.tables.slot_counts import API_CALLS, SESSIONS, Row, count_slot

#: What must be complete for a slot to be counted anew, by the table that its late fact is of. Others have no slots.
NEEDS: Final = {
    API_CALLS: (API_CALLS, "statistics_slots"),
    SESSIONS: (SESSIONS, "statistics_slots"),
    "logins": ("logins",),
    "users": (),
}

#: What slots are counted from; users and logins have none.
_COUNTED: Final = (API_CALLS, SESSIONS)

#: Hours that are counted at the same time: a database counts an hour with one processor.
AT_ONCE: Final = 2

#: Rows of one INSERT: SQLite takes at most 32,766 values in a statement.
_BATCH: Final = 1000

_INSERT: Final = (
    "INSERT INTO statistics_slots (slot_at, source, model, bucket, calls, failed, tokens_in, tokens_out, cost) VALUES "
)
_ROW: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COLUMNS: Final = _ROW.count("?")

_STALE: Final = "UPDATE statistics SET stale = 1 WHERE until > ? AND since <= ?"

#: In one order, so that two hours cannot wait for each other.
_LOCK: Final = "SELECT 1 FROM statistics WHERE until > ? AND since <= ? ORDER BY kind, period, zone $lock"


class StatisticsSlot(peewee.Model):
    """Table ``statistics_slots``. ``calls``: of the bucket. Other numbers mean something as sums of a model only."""

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
      database: Where the tables are; it raises Deferred when it is away, TooSlow when a slot takes too long.
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
        hours = sorted({mark.slot_at.replace(minute=0) for mark in self.dirty(before)})
        pool = ThreadPoolExecutor(AT_ONCE, "slots")
        try:
            for rolled in pool.map(partial(self._roll, before=before, now=now), hours):
                done.slots += rolled.slots
                done.refused += rolled.refused
        finally:
            pool.shutdown(cancel_futures=True)
        return done

    def _roll(self, hour: datetime, *, before: datetime, now: datetime) -> Rolled:
        """Count the marked slots of one hour, and store what is complete: nobody waits while it is counted."""
        until = min(hour + timedelta(hours=1), before)
        seen = self._database.run(lambda connection: marks_between(connection, hour, until))
        counted = {
            mark: self._database.run(partial(self._count, mark=mark)) for mark in seen if mark.source in _COUNTED
        }

        def store(connection: Any) -> Rolled:
            marks, done = locked_marks(connection, self._database.dialect, hour, until), Rolled()
            sources = {mark.source for mark in marks}
            limit = {source: limits.complete_since(connection, NEEDS[source]) for source in sources}
            for mark, version in marks.items():
                complete_since = limit[mark.source]
                if complete_since is not None and mark.slot_at < complete_since:
                    done.refused.append(mark)
                    continue
                done.slots.append(mark)
                if mark.source in _COUNTED:
                    # A late fact has come since it was counted where the version is another one.
                    fresh = counted.get(mark) if seen.get(mark) == version else None
                    self._store(connection, mark, self._count(connection, mark) if fresh is None else fresh)
            self._make_stale(connection, sorted({mark.slot_at for mark in done.slots}))
            # Those of young slots stay: a writer that found one may commit after this.
            unmark(connection, {mark: marks[mark] for mark in done.slots if mark.slot_at + SLOT + KEPT_FOR <= now})
            return done

        return self._database.transaction(store)

    def _count(self, connection: Any, mark: Mark) -> list[Row]:
        """Count one slot of a source; returns rows without ``slot_at`` and ``source``."""
        since, until = (StatisticsSlot.slot_at.db_value(moment) for moment in (mark.slot_at, mark.slot_at + SLOT))
        return count_slot(connection, self._sql, mark.source, since, until)

    def _store(self, connection: Any, mark: Mark, counted: list[Row]) -> None:
        """Put what was counted in the place of a slot."""
        row = StatisticsSlot
        row.delete().where((row.slot_at == mark.slot_at) & (row.source == mark.source)).execute(connection)
        place = (row.slot_at.db_value(mark.slot_at), mark.source)
        for start in range(0, len(counted), _BATCH):
            values = [value for each in counted[start : start + _BATCH] for value in (*place, *each)]
            rows = len(values) // _COLUMNS
            self._sql.run(connection, _INSERT + ", ".join([_ROW] * rows), *values)

    def _make_stale(self, connection: Any, slots: list[datetime]) -> None:
        """Note in the same transaction that rows must be counted anew: a crash before that loses nothing."""
        moments = [StatisticsSlot.slot_at.db_value(slot_at) for slot_at in slots]
        if moments:
            self._sql.rows(connection, _LOCK, moments[0], moments[-1])
        for moment in moments:
            self._sql.run(connection, _STALE, moment, moment)
