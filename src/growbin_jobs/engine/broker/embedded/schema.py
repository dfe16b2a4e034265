"""The embedded broker's tables, and which version of them a file has."""

from __future__ import annotations

from importlib.resources import files

import apsw

from growbin_jobs.engine.errors import ConfigurationError

#: Version of ``schema.sql``; in the file it is SQLite's ``user_version``: what a program must know to work with it. A
#: column that may be NULL is added without a new one, so that whoever goes back by a release keeps all messages.
SCHEMA_VERSION = 1

_HAS_SINCE = "SELECT 1 FROM pragma_table_info('message') WHERE name = 'since'"
_ADD = "ALTER TABLE message ADD COLUMN since INTEGER"


def create_schema(connection: apsw.Connection) -> None:
    """Make the tables where they are missing; any number of processes may try at once.

    Raises:
      ConfigurationError: If the file belongs to something else or to a newer version of this package.
    """
    # Read without a lock first: whoever only looks into the file would wait for one that writes.
    if connection.pragma("user_version") == SCHEMA_VERSION and connection.execute(_HAS_SINCE).get:
        return
    # Taken before the version is read for good: two processes that both read 0 would both create.
    connection.execute("BEGIN IMMEDIATE")
    try:
        _create_missing(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _create_missing(connection: apsw.Connection) -> None:
    version = connection.pragma("user_version")
    if version == SCHEMA_VERSION:
        if not connection.execute(_HAS_SINCE).get:
            connection.execute(_ADD)
        return
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{connection.filename} has queue schema {version}, this growbin-jobs knows {SCHEMA_VERSION}: "
            "upgrade growbin-jobs on this machine."
        )
    if connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise ConfigurationError(f"{connection.filename} is not a queue of growbin-jobs: choose another file.")
    connection.execute((files("growbin_jobs.engine.broker.embedded") / "schema.sql").read_text(encoding="utf-8"))
    connection.pragma("user_version", SCHEMA_VERSION)
