"""What of a damaged journal exists nowhere else, copied row by row into a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import apsw

from growbin_jobs.engine.journal.tables import dead_letters, outbox

#: Accepted from producers, and nobody else has them; given up, and only the broker has the body.
_TABLES = {
    "outbox": (outbox.COLUMNS + ", created_at", "parent_id IS NULL"),
    "dead_letter": (dead_letters.COLUMNS, dead_letters.OPEN),
}


def salvage(open_damaged: Callable[[], apsw.Connection], connection: apsw.Connection) -> Iterator[tuple[str, int, str]]:
    """Copy what can be read; yield for each table its name, the rows that were copied, and why it ended early, or "".

    Parameters:
      open_damaged: Opens the damaged file; once for each table, since one that has met damage may not go on.
      connection: Of the new file.
    """
    for table, (columns, which) in _TABLES.items():
        rows, trouble = 0, ""
        try:
            with closing(open_damaged()) as damaged:
                for row in damaged.execute(f"SELECT {columns} FROM {table} WHERE {which}"):  # noqa: S608 constants only
                    values = ", ".join("?" * len(row))
                    connection.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({values})", row)  # noqa: S608
                    rows += 1
        except apsw.Error as error:
            trouble = str(error)
        yield table, rows, trouble
