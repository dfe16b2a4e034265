"""What each limit granted, by the minute and the node: in the central database and in the node's journal."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import apsw

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.prepared import Prepared
from growbin_jobs.engine.journal.tables import rate_limit_log

#: Units by the beginning of the minute and the limit's name.
Counts = Mapping[tuple[int, str], int]

#: Seconds that the central counts are kept: what was sent is proved from the ledger, these are for people who watch.
_KEPT: Final = 2 * 86_400

#: On PostgreSQL all counts are one statement. In one order everywhere, so that two processes never wait for each other.
#: They do not wait for the disk: nothing is decided by them.
_ADD: Final = Prepared(
    """
WITH disk AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
forgotten AS (DELETE FROM limit_minute WHERE minute < %(kept_from)s)
INSERT INTO limit_minute (name, minute, node, units)
SELECT name, minute, %(node)s, units
FROM unnest(%(names)s::text[], %(minutes)s::bigint[], %(units)s::bigint[]) AS counted (name, minute, units), disk
ORDER BY name, minute
ON CONFLICT (name, minute, node) DO UPDATE SET units = limit_minute.units + excluded.units
RETURNING name
""",
    names="text[]",
    minutes="bigint[]",
    units="bigint[]",
    node="text",
    kept_from="bigint",
)

#: On SQLite they are one transaction.
_ADD_ROW: Final = (
    "INSERT INTO limit_minute (name, minute, node, units) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (name, minute, node) DO UPDATE SET units = limit_minute.units + excluded.units"
)


class UseLog(Protocol):
    """Keeps counts."""

    def add(self, counts: Counts) -> None:
        """Add to what is kept.

        Raises:
          Exception: Nothing was kept.
        """
        ...


class CentralUse:
    """Table ``limit_minute``.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
      node: Whose counts are added.
    """

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node
        self._postgresql = database.dialect == "postgresql"
        self._mark = "%s" if self._postgresql else "?"

    def add(self, counts: Counts) -> None:
        if not counts:
            return
        rows = sorted((name, minute, units) for (minute, name), units in counts.items())
        kept_from = min(minute for minute, _ in counts) - _KEPT
        if self._postgresql:
            names, minutes, units = map(list, zip(*rows, strict=True))
            values = {"names": names, "minutes": minutes, "units": units, "node": self._node, "kept_from": kept_from}
            self._database.run(lambda connection: _ADD.rows(connection, values))
            return

        def work(connection: Any) -> None:
            for name, minute, units in rows:
                connection.execute_sql(_ADD_ROW, (name, minute, self._node, units))
            connection.execute_sql("DELETE FROM limit_minute WHERE minute < ?", (kept_from,))

        self._database.transaction(work, durable=False)

    def since(self, minute: int) -> list[tuple[str, int, str, int]]:
        """Return name, minute, node and units of all minutes from one on, in order."""
        sql = f"SELECT name, minute, node, units FROM limit_minute WHERE minute >= {self._mark}"  # noqa: S608

        def work(connection: Any) -> list[Any]:
            return list(connection.execute_sql(sql, (minute,)).fetchall())

        return sorted((name, int(begin), node, int(units)) for name, begin, node, units in self._database.run(work))


class JournalUse:
    """Table ``rate_limit_log`` of the node's journal.

    Parameters:
      write: Runs a piece of work in a transaction of the journal, as ``Journal.write`` does.
    """

    def __init__(self, write: Callable[[Callable[[apsw.Connection], None]], object]) -> None:
        self._write = write

    def add(self, counts: Counts) -> None:
        def work(connection: apsw.Connection) -> None:
            for (minute, name), units in sorted(counts.items()):
                rate_limit_log.add(connection, minute, [(name, units)])

        self._write(work)
