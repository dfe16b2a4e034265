"""Nodes whose journals may hold what nobody has copied, by what their keepers have reported (``workers``)."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import known_moment, stored_moment
from growbin_jobs.engine.central.sql_words import SqlWords

#: Of thousands of pods that are gone a row each, and not their groups with all that they did.
_BEHIND: Final = """
    SELECT node, max(seen_at), max(unsynced), max(owed), count(stopped_at) = count(*) FROM workers
    GROUP BY node HAVING max(lag) > ? OR CASE WHEN count(stopped_at) = count(*)
        THEN max(unsynced) > 0 OR max(owed) > 0 ELSE max(seen_at) < ? END
    ORDER BY node
"""


class NodeState(NamedTuple):
    """What a node's keeper said last of its journal, as far as somebody may have to look.

    Attributes:
      unsynced, owed: As :class:`growbin_jobs.engine.central.workers.WorkerGroup`.
      stopped: All its groups have stopped.
    """

    node: str
    seen_at: datetime
    unsynced: int
    owed: int
    stopped: bool


def nodes_behind(database: Database, *, heard: datetime, lag: float) -> list[NodeState]:
    """Return these nodes, by name.

    Parameters:
      heard: A node that works was heard of since then.
      lag: Seconds for which a row may wait for its copy.

    Raises:
      Deferred: The database is away.
    """
    words = SqlWords(database.dialect)
    rows = database.run(lambda connection: words.rows(connection, _BEHIND, lag, stored_moment(heard)))
    return [NodeState(row[0], known_moment(row[1]), row[2], row[3], bool(row[4])) for row in rows]
