"""What each limit granted, by the minute and the node: in the central database and in the node's journal."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import apsw

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.journal.tables import rate_limit_log

#: Units by the beginning of the minute and the limit's name.
Counts = Mapping[tuple[int, str], int]

#: Seconds that the central counts are kept: what was sent is proved from the ledger, these are for people who watch.
_KEPT: Final = 2 * 86_400


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
        self._mark = "%s" if database.dialect == "postgresql" else "?"

    def add(self, counts: Counts) -> None:
        mark = self._mark
        sql = (
            f"INSERT INTO limit_minute (name, minute, node, units) VALUES ({mark}, {mark}, {mark}, {mark}) "  # noqa: S608
            "ON CONFLICT (name, minute, node) DO UPDATE SET units = limit_minute.units + excluded.units"
        )
        forget = f"DELETE FROM limit_minute WHERE minute < {mark}"  # noqa: S608
        # In one order everywhere, so that two processes never wait for each other.
        rows = sorted((name, minute, self._node, units) for (minute, name), units in counts.items())

        def work(connection: Any) -> None:
            for row in rows:
                connection.execute_sql(sql, row)
            connection.execute_sql(forget, (min(minute for minute, _ in counts) - _KEPT,))

        if rows:
            self._database.transaction(work)

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
