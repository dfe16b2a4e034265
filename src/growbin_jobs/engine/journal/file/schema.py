"""Brings a journal's file to this version's tables."""

from __future__ import annotations

from importlib.resources import files

import apsw

from growbin_jobs.engine.errors import ConfigurationError

#: What is done to a file of version n, at place n. Add a step for each change; never edit one that was released.
STEPS = ("schema.sql", "schema_2.sql")


def migrate(connection: apsw.Connection) -> None:
    """Make or change the tables where that is due; any number of processes may try at once.

    Raises:
      ConfigurationError: If the file was written by a newer version of this package.
      apsw.Error: If it cannot be written.
    """
    if connection.pragma("user_version") == len(STEPS):
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


def is_journal(connection: apsw.Connection) -> bool:
    """Has this database a journal's tables, of whatever version?"""
    tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('task_wal', 'outbox', 'dead_letter')"
    return bool(connection.pragma("user_version")) and connection.execute(tables).get == 3


def _take_steps(connection: apsw.Connection) -> None:
    version = int(connection.pragma("user_version"))
    if version > len(STEPS):
        raise ConfigurationError(
            f"{connection.filename} has journal schema {version}, this growbin-jobs knows {len(STEPS)}: "
            "upgrade growbin-jobs on this node."
        )
    for step in STEPS[version:]:
        connection.execute((files("growbin_jobs.engine.journal.file") / step).read_text(encoding="utf-8"))
    connection.pragma("user_version", len(STEPS))
