"""What each node has counted: ends of runs by actor, and how long they took; sums grow until the node is made anew."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField


class NodeCountsRow(peewee.Model):
    """Table ``node_counts``. ``migrations/`` creates it; a test holds the two together."""

    node = peewee.TextField(primary_key=True)
    counts = JsonField()
    seen_at = UtcField()

    class Meta:
        table_name = "node_counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorCounts:
    """The runs of one actor from one queue on one node.

    Attributes:
      ends: How many have ended, by what became of them.
      seconds: How many took less than each bound of who counted, one number for what took longer, and the sum of all.
    """

    queue: str
    actor: str
    ends: Mapping[str, int]
    seconds: list[float]


class NodeCountsTable:
    """The only writer of ``node_counts``.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def report(self, node: str, counts: Iterable[ActorCounts], *, at: datetime) -> None:
        """Replace what a node has said before."""
        row = NodeCountsRow
        values: dict[str, Any] = {"node": node, "counts": [asdict(each) for each in counts], "seen_at": at}
        update = {row.counts: values["counts"], row.seen_at: at}
        query = row.insert(values).on_conflict(conflict_target=[row.node], update=update)
        self.database.run(lambda connection: query.execute(connection))

    def all(self) -> dict[str, list[ActorCounts]]:
        """Return what every node has said last."""
        rows = self.database.rows(NodeCountsRow.select().order_by(NodeCountsRow.node))
        return {row["node"]: [ActorCounts(**each) for each in row["counts"]] for row in rows}

    def forget(self, *, seen_before: datetime) -> int:
        """Delete what nodes said that are silent since; return how many."""
        row = NodeCountsRow
        query = row.delete().where(row.seen_at < seen_before)
        return int(self.database.run(lambda connection: query.execute(connection)))
