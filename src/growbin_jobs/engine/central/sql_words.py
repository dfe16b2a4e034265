"""The few words in which the SQL of the two databases differs, for statements that are written once."""

from typing import Any, Final

from growbin_jobs.engine.central.driver import Dialect

#: Seconds by which moments of one clock may differ, as several connections read it.
CLOCK_VARIES: Final = 60.0


class SqlWords:
    """Runs statements that are written for both databases.

    They mark their values by ``?``. ``$now`` is the database's clock, in seconds since 1970; behind a SELECT ``$lock``
    locks its rows, and ``$free`` those of them that nobody else holds. SQLite has one writer at a time and needs no
    lock inside a transaction.

    Parameters:
      dialect: Of the database.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._words = (
            {
                "?": "%s",
                "$now": "extract(epoch FROM clock_timestamp())::float8",
                "$lock": "FOR UPDATE",
                "$free": "FOR UPDATE SKIP LOCKED",
            }
            if dialect == "postgresql"
            else {"$now": "unixepoch('subsec')", "$lock": "", "$free": ""}
        )

    @staticmethod
    def ended(column: str, longest: float) -> str:
        """Return the condition that a lease, or a pause, has ended.

        One that ends later than any can was taken under a clock that has been set back since: it has ended, too, or
        nobody would get it until the clock comes there.

        Parameters:
          column: Seconds since 1970, of its end.
          longest: Seconds that it lasts at most.
        """
        return f"({column} <= $now OR {column} > $now + {longest + CLOCK_VARIES:g})"

    def run(self, connection: Any, sql: str, *values: Any) -> int:
        """Run a statement and return the number of rows that it changed."""
        return int(connection.rows_affected(connection.execute_sql(self._own(sql), values)))

    def rows(self, connection: Any, sql: str, *values: Any) -> list[Any]:
        """Run a statement and return its rows."""
        return list(connection.execute_sql(self._own(sql), values).fetchall())

    def _own(self, sql: str) -> str:
        for word, own in self._words.items():
            sql = sql.replace(word, own)
        return sql
