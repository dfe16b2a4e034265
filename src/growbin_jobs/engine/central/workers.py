"""Who works: one row for each node and worker group, kept fresh by the node's keeper."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

import peewee

from growbin_jobs.engine import events
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField, utc_moment
from growbin_jobs.engine.central.sql_words import SqlWords

#: Without a heartbeat for so long a node is silent: nobody knows whether it lives. It reports every 10 s.
SILENCE: Final = timedelta(seconds=45)

#: A heartbeat further ahead was noted by a database whose clock has been set back since; a node that lives sends
#: another. Less is the clock of whoever looks.
AHEAD: Final = timedelta(hours=2)


class WorkerRow(peewee.Model):
    """Table ``workers``. ``migrations/`` creates it; a test holds the two together."""

    node = peewee.TextField()
    group_name = peewee.TextField()
    version = peewee.TextField()
    pids = JsonField()
    processes = peewee.BigIntegerField()
    threads = peewee.BigIntegerField()
    queues = JsonField()
    running = peewee.BigIntegerField()
    unsynced = peewee.BigIntegerField()
    owed = peewee.BigIntegerField()
    lag = peewee.DoubleField()
    started_at = UtcField()
    seen_at = UtcField()
    stopped_at = UtcField(null=True)
    reserved = peewee.BigIntegerField(null=True)
    reserved_tasks = JsonField(null=True)

    class Meta:
        table_name = "workers"
        primary_key = peewee.CompositeKey("node", "group_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroup:
    """The workers of one group on one node, as their keeper saw them last. Times are aware, in UTC.

    Attributes:
      version: Of growbin-jobs; several, separated by commas, while one replaces the other.
      threads: Threads or greenlets of all processes together.
      running: Tasks that run now.
      unsynced: Rows of the node's journal that are not in ``tasks``; counted up to a limit.
      owed: Messages of the node's outbox that the broker has not confirmed; counted up to a limit.
      lag: Seconds since the oldest of those rows changed.
      started_at: When the oldest process started.
      seen_at: When the keeper wrote this row.
      stopped_at: When the last process was found gone; ``unsynced`` is then what it left behind.
      reserved: Messages that its processes have fetched and not started. None: they do not say.
      reserved_tasks: The first of them: ``id``, ``actor``, ``queue``, and ``pid`` of the process that has it.
    """

    node: str
    group_name: str
    version: str
    pids: list[int]
    processes: int
    threads: int
    queues: list[str]
    running: int
    unsynced: int
    owed: int
    lag: float
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None = None
    reserved: int | None = None
    reserved_tasks: list[dict[str, Any]] | None = None

    def lives(self, now: datetime) -> bool:
        """Return whether it works, as far as is known: it has not stopped, and its node is not silent."""
        return self.stopped_at is None and now - SILENCE <= self.seen_at <= now + AHEAD

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON: times in ISO 8601."""
        times = {name: value.isoformat() for name, value in asdict(self).items() if isinstance(value, datetime)}
        return asdict(self) | times


class Workers:
    """The only writer of ``workers``.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def report(self, node: str, groups: Iterable[WorkerGroup], *, unsynced: int, owed: int, at: datetime) -> None:
        """Write the groups that work on a node; those that do not any more are said to have stopped.

        Parameters:
          unsynced, owed: What the node's journal still holds, for the rows of the stopped ones too.
        """
        row, present = WorkerRow, list(groups)
        names = [group.group_name for group in present]
        left = row.update(unsynced=unsynced, owed=owed).where((row.node == node) & row.group_name.not_in(names))
        stopped = row.update(
            stopped_at=at, pids=[], processes=0, threads=0, running=0, reserved=0, reserved_tasks=[]
        ).where((row.node == node) & row.group_name.not_in(names) & row.stopped_at.is_null())

        def write(connection: peewee.Database) -> None:
            for group in present:
                values = asdict(group)
                update = {getattr(row, name): value for name, value in values.items()}
                query = row.insert(values).on_conflict(conflict_target=[row.node, row.group_name], update=update)
                query.execute(connection)
            stopped.execute(connection)
            left.execute(connection)

        self.database.transaction(write)

    def all(self) -> list[WorkerGroup]:
        """Return every group that was ever seen and not forgotten, by node."""
        return self._read()

    def present(self) -> list[WorkerGroup]:
        """Return the groups that have not stopped, by node: pods come and go by the thousand."""
        return self._read("WHERE stopped_at IS NULL")

    def versions(self) -> dict[str, datetime]:
        """Return the versions of all groups, each with the time when the first of its groups began to work."""
        sql, words = "SELECT version, min(started_at) FROM workers GROUP BY version", SqlWords(self.database.dialect)
        rows = self.database.run(lambda connection: words.rows(connection, sql))
        began: dict[str, datetime] = {}
        for text, at in rows:
            for version in filter(None, text.replace(" ", "").split(",")):
                first = utc_moment(at)
                assert first is not None
                began[version] = min(began.get(version, first), first)
        return began

    def _read(self, which: str = "") -> list[WorkerGroup]:
        # Not by peewee, which takes five times as long for a row.
        sql = f"SELECT {', '.join(_FIELDS)} FROM workers {which} ORDER BY node, group_name"  # noqa: S608 names of ours
        words = SqlWords(self.database.dialect)
        return _views(self.database.run(lambda connection: words.rows(connection, sql)))

    def forget(self, *, stopped_before: datetime) -> int:
        """Delete rows of groups that stopped long ago and left nothing behind.

        Returns:
          How many.
        """
        row = WorkerRow
        gone = (row.stopped_at < stopped_before) & (row.unsynced == 0) & (row.owed == 0)
        deleted = int(self.database.run(lambda connection: row.delete().where(gone).execute(connection)))
        if deleted:
            events.PRUNED.emit(table=row._meta.table_name, rows=deleted)
        return deleted


_FIELDS: Final = tuple(field.name for field in fields(WorkerGroup))
_JSON: Final = ("pids", "queues", "reserved_tasks")
_TIMES: Final = ("started_at", "seen_at", "stopped_at")


def _views(rows: Sequence[Sequence[Any]]) -> list[WorkerGroup]:
    known = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    # All documents are parsed at once: there are three in each row, and most are short.
    documents = iter(json.loads(f"[{','.join(values[name] or 'null' for values in known for name in _JSON)}]"))
    for values in known:
        values |= {name: next(documents) for name in _JSON} | {name: utc_moment(values[name]) for name in _TIMES}
    return [WorkerGroup(**values) for values in known]
