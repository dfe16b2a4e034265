"""Brings a journal's file to this version's tables, so that the release before can go on with it after a rollback.

SQLite's ``user_version`` is the version that a program must know to work with the file: an older one refuses it. A step
that only adds what older programs need not know (a table, an index, a column that may be NULL) leaves it as it is, and
is counted in the table ``additive_step`` instead. So whoever goes back by one release keeps all messages of it,
unless a step had to break with it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

import apsw

from growbin_jobs.engine.errors import ConfigurationError


class Step(NamedTuple):
    """One change of the schema.

    Attributes:
      file: SQL, in this folder.
      additive: Programs that do not know it can work with the file, and write rows that this program can read.
    """

    file: str
    additive: bool = False


#: What is done to a file of version n, at place n. Add a step for each change; never edit one that was released.
STEPS = (Step("schema.sql"), Step("schema_2.sql"), Step("schema_3.sql", additive=True))

_COUNT = "CREATE TABLE IF NOT EXISTS additive_step (n INTEGER NOT NULL PRIMARY KEY) STRICT"


def migrate(connection: apsw.Connection) -> None:
    """Make or change the tables where that is due; any number of processes may try at once.

    Raises:
      ConfigurationError: If a newer version has changed the file so that this one cannot work with it.
      apsw.Error: If it cannot be written.
    """
    if version_of(connection) >= len(STEPS):
        _refuse_newer(connection)
        return
    # Taken before the version is read for good: two processes that both read 0 would both create.
    connection.execute("BEGIN IMMEDIATE")
    try:
        _take_steps(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def version_of(connection: apsw.Connection) -> int:
    """Return how many steps a file has taken, perhaps more than this program knows."""
    needed = int(connection.pragma("user_version"))
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'additive_step'").get:
        return needed
    additive: int = connection.execute("SELECT ifnull(max(n), 0) FROM additive_step").get
    return max(needed, additive)


def is_journal(connection: apsw.Connection) -> bool:
    """Return True if a database has a journal's tables, of whatever version."""
    tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('task_wal', 'outbox', 'dead_letter')"
    return bool(connection.pragma("user_version")) and connection.execute(tables).get == 3


def _refuse_newer(connection: apsw.Connection) -> None:
    needed = int(connection.pragma("user_version"))
    if needed > len(STEPS):
        raise ConfigurationError(
            f"{connection.filename} has journal schema {needed}, this growbin-jobs knows {len(STEPS)}: "
            "upgrade growbin-jobs on this node."
        )


def _take_steps(connection: apsw.Connection) -> None:
    _refuse_newer(connection)
    for number in range(version_of(connection), len(STEPS)):
        step = STEPS[number]
        connection.execute((files("growbin_jobs.engine.journal.file") / step.file).read_text(encoding="utf-8"))
        if step.additive:
            connection.execute(_COUNT)
            connection.execute("INSERT INTO additive_step VALUES (?)", (number + 1,))
        else:
            connection.pragma("user_version", number + 1)
