"""Which actors the workers of each node know."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField


class WorkerActorsRow(peewee.Model):
    """Table ``worker_actors``. ``migrations/`` creates it; a test holds the two together."""

    node = peewee.TextField()
    group_name = peewee.TextField()
    actors = JsonField()
    seen_at = UtcField()

    class Meta:
        table_name = "worker_actors"
        primary_key = peewee.CompositeKey("node", "group_name")


@dataclass(frozen=True, slots=True)
class Registered:
    """The actors that the workers of one group on one node know, and when they were seen last (aware, UTC)."""

    node: str
    group_name: str
    actors: tuple[str, ...]
    seen_at: datetime


class WorkerActors:
    """The only writer of ``worker_actors``.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def report(self, node: str, by_group: Mapping[str, tuple[str, ...]], *, at: datetime) -> None:
        """Write what the groups that work on a node know; those that do not work any more are deleted."""
        row = WorkerActorsRow

        def write(connection: peewee.Database) -> None:
            for group, actors in by_group.items():
                values = {"node": node, "group_name": group, "actors": list(actors), "seen_at": at}
                update = {row.actors: list(actors), row.seen_at: at}
                query = row.insert(values).on_conflict(conflict_target=[row.node, row.group_name], update=update)
                query.execute(connection)
            gone = (row.node == node) & row.group_name.not_in(list(by_group))
            row.delete().where(gone).execute(connection)

        self.database.transaction(write)

    def all(self) -> list[Registered]:
        """Return what all nodes have said last, by node and group."""
        query = WorkerActorsRow.select().order_by(WorkerActorsRow.node, WorkerActorsRow.group_name)
        return [
            Registered(row["node"], row["group_name"], tuple(row["actors"]), row["seen_at"])
            for row in self.database.rows(query)
        ]
