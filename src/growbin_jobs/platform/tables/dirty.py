"""Which slots of 15 minutes must be counted anew: marked when facts arrive, unmarked when they are rolled up.

Each table of facts has marks of its own: where old rows of one are deleted, late rows of another still count.

Writers of the running slot must not wait for each other: the first one makes the mark, the others find it and lock
nothing. So a roll-up leaves the marks of young slots (:data:`KEPT_FOR`): a writer that found one may commit after it. A
late writer changes the mark's version instead, which a roll-up that has not seen its rows notices.
"""

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import peewee

from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import UtcField

Clock = Callable[[], datetime]

#: Every zone of today is a whole number of slots away from UTC.
SLOT: Final = timedelta(minutes=15)

#: Facts older than this are late.
LATE_AFTER: Final = timedelta(minutes=30)

#: How long after its end a slot stays marked. A writer has ``KEPT_FOR - LATE_AFTER`` to commit, which is longer than
#: the database lets a transaction idle.
KEPT_FOR: Final = timedelta(minutes=60)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class StatisticsDirty(peewee.Model):
    """Table ``statistics_dirty``."""

    slot_at = UtcField()
    source = peewee.TextField()
    version = peewee.BigIntegerField()

    class Meta:
        table_name = "statistics_dirty"
        primary_key = peewee.CompositeKey("slot_at", "source")


class Mark(NamedTuple):
    """A slot of one table of facts that must be counted anew."""

    slot_at: datetime
    source: str


def slot_of(moment: datetime) -> datetime:
    """Return the begin of the slot that a moment lies in."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def mark(connection: Any, dialect: Dialect, source: str, moments: Iterable[datetime], *, now: datetime) -> None:
    """Mark the slots of facts, in the transaction that writes them.

    Parameters:
      source: Table of the facts.
      moments: Of the facts.
      now: Decides which of them are late.
    """
    sign = "%s" if dialect == "postgresql" else "?"
    insert = (
        f"INSERT INTO statistics_dirty (slot_at, source, version) VALUES ({sign}, {sign}, {sign}) "  # noqa: S608
        "ON CONFLICT (slot_at, source) DO "
    )
    late_before = now - LATE_AFTER
    # In one order everywhere, so that two late writers cannot wait for each other.
    for slot in sorted({slot_of(moment) for moment in moments}):
        is_late = slot + SLOT <= late_before
        how = "UPDATE SET version = statistics_dirty.version + 1" if is_late else "NOTHING"
        # No version comes twice: a mark that was taken off and made anew is another one to who has seen it before.
        values = (StatisticsDirty.slot_at.db_value(slot), source, secrets.randbits(60))
        connection.execute_sql(insert + how, values)


def dirty_slots(connection: Any, before: datetime) -> list[Mark]:
    """Return the marks of slots that begin before a time, in order."""
    row = StatisticsDirty
    query = row.select(row.slot_at, row.source).where(row.slot_at < before).order_by(row.slot_at, row.source)
    return [Mark(**each) for each in query.dicts().execute(connection)]


def marks_between(connection: Any, since: datetime, until: datetime) -> dict[Mark, int]:
    """Return the marks of slots between two times with their versions."""
    return _versions(_between(since, until), connection)


def locked_marks(connection: Any, dialect: Dialect, since: datetime, until: datetime) -> dict[Mark, int]:
    """Return the same; nobody else rolls them up meanwhile."""
    query = _between(since, until)
    return _versions(query.for_update() if dialect == "postgresql" else query, connection)


def _between(since: datetime, until: datetime) -> Any:
    row = StatisticsDirty
    return row.select().where((row.slot_at >= since) & (row.slot_at < until)).order_by(row.slot_at, row.source)


def _versions(query: Any, connection: Any) -> dict[Mark, int]:
    return {Mark(each["slot_at"], each["source"]): each["version"] for each in query.dicts().execute(connection)}


def unmark(connection: Any, marks: dict[Mark, int]) -> None:
    """Take marks off, unless a late fact has changed their version meanwhile."""
    row = StatisticsDirty
    for (slot, source), version in marks.items():
        this = (row.slot_at == slot) & (row.source == source)
        row.delete().where(this & (row.version == version)).execute(connection)
