"""How deep each queue was, each minute: what the broker said, from whichever node asked first in that minute.

A minute without a row was not asked about; that is not the same as an empty queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import peewee

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import UtcField, storable, stored_moment
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.delivery.records import TaskState

#: Pending tasks that are looked at for the oldest one of each queue.
OLDEST = 1000


class QueueMinuteRow(peewee.Model):
    """Table ``queue_minutes``. ``migrations/`` creates it; a test holds the two together."""

    minute = UtcField()
    queue_name = peewee.TextField()
    ready = peewee.BigIntegerField()
    claimed = peewee.BigIntegerField(null=True)
    delayed = peewee.BigIntegerField(null=True)
    dead = peewee.BigIntegerField()
    oldest = peewee.DoubleField(null=True)

    class Meta:
        table_name = "queue_minutes"
        primary_key = peewee.CompositeKey("minute", "queue_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMinute:
    """A queue as it was when it was asked about in a minute, or the most of a longer time.

    Attributes:
      minute: The beginning of that time, UTC.
      ready, claimed, delayed, dead: As :class:`growbin_jobs.engine.broker.port.Depth`. None: the broker cannot tell.
      oldest: Seconds that the oldest ready message has waited, of those that the database knows; 0 where none is
        ready, None where it knows of none.
    """

    minute: datetime
    queue_name: str
    ready: int
    claimed: int | None
    delayed: int | None
    dead: int
    oldest: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self) | {"minute": self.minute.isoformat()}


_FIELDS: Final = tuple(field.name for field in fields(QueueMinute))

#: When a minute began, in whole seconds since 1970.
_SECONDS: Final[dict[Dialect, str]] = {
    "sqlite": "unixepoch(minute)", "postgresql": "CAST(extract(epoch FROM minute) AS bigint)",
}  # fmt: skip


class QueueMinutes:
    """The only writer of ``queue_minutes``.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def lacks(self, minute: datetime, queues: set[str]) -> bool:
        """Return whether some of these queues have no row of a minute yet; True where none is named."""
        row = QueueMinuteRow
        found = {
            each["queue_name"] for each in self.database.rows(row.select(row.queue_name).where(row.minute == minute))
        }
        return not found or not {storable(queue) for queue in queues} <= found

    def add(self, minute: datetime, depths: Mapping[str, Depth], *, now: datetime) -> None:
        """Keep what the broker says; what another node has told of that minute stays.

        Parameters:
          minute: Its begin.
        """
        if not depths:
            return
        since = self._waiting_since(now)
        rows = [
            {
                "minute": minute, "queue_name": storable(queue), "ready": depth.ready, "claimed": depth.claimed,
                "delayed": depth.delayed, "dead": depth.dead, "oldest": _age(depth, since.get(queue), now),
            }
            for queue, depth in sorted(depths.items())
        ]  # fmt: skip
        query = QueueMinuteRow.insert_many(rows).on_conflict_ignore()
        self.database.run(lambda connection: query.execute(connection))

    def read(
        self, since: datetime, until: datetime, *, deepest: int | None = None, step: timedelta = MINUTE
    ) -> list[QueueMinute]:
        """Return what was told of a time, from the one to before the other, in order.

        Parameters:
          deepest: Only of so many queues, those in which most messages waited in that time. None: of all.
          step: The most that was told within so long a time stands for it: whole minutes, counted from 1970 on.
        """
        within, values = "minute >= ? AND minute < ?", [*map(stored_moment, (since, until))]
        wanted = within
        if deepest is not None:
            most = f"SELECT queue_name FROM queue_minutes WHERE {within} GROUP BY queue_name"  # noqa: S608 ours
            wanted = f"{within} AND queue_name IN ({most} ORDER BY sum(ready) DESC, queue_name LIMIT {deepest})"
            values *= 2
        words, columns = SqlWords(self.database.dialect), ", ".join(f"max({name})" for name in _FIELDS[2:])
        seconds, long = _SECONDS[words.dialect], max(1, int(step / MINUTE)) * 60
        # Not by peewee, which takes five times as long for a row.
        sql = (
            f"SELECT {seconds} / {long} * {long}, queue_name, {columns} FROM queue_minutes WHERE {wanted}"  # noqa: S608
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
        rows = self.database.run(lambda connection: words.rows(connection, sql, *values))
        moments = {at: datetime.fromtimestamp(at, UTC) for at, *_ in rows}
        return [QueueMinute(**dict(zip(_FIELDS, (moments[row[0]], *row[1:]), strict=True))) for row in rows]

    def _waiting_since(self, now: datetime) -> dict[str, datetime]:
        """Return since when the oldest message of each queue waits, as far as it is a pending task that is due."""
        row = TaskRow
        waiting = (row.status == TaskState.PENDING.value) & (row.due_at.is_null() | (row.due_at <= now))
        query = row.select(row.queue_name, row.created_at, row.due_at).where(waiting).order_by(row.created_at)
        since: dict[str, datetime] = {}
        for each in self.database.rows(query.limit(OLDEST)):
            at = each["due_at"] or each["created_at"]
            since[each["queue_name"]] = min(at, since.get(each["queue_name"], at))
        return since


def _age(depth: Depth, since: datetime | None, now: datetime) -> float | None:
    if not depth.ready:
        return 0.0
    return None if since is None else max(0.0, (now - since).total_seconds())
