"""Upgrades the schema of the central database: one SQL file a version, forward only, safe from many processes at once.

A migration is ``migrations/NNNN_name.sql`` of one of the schema's packages, written for both databases; its column
types are placeholders, and a line that begins with ``$postgresql`` or ``$sqlite`` is for that one alone. The engine has
its own, an application adds others; the numbers are one sequence. Once released it never changes: mend it with the next
one. A running version of the program must live with the next schema, since pods are replaced one by one: add columns,
and drop them one release after their last use. A migration with which older programs cannot work says so in a line
``-- incompatible-below: N``: programs that do not know migration N refuse to start.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import UPGRADE_COMMAND, Dialect
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.inspection import (
    add_column,
    check_encoding,
    check_keys,
    check_place,
    check_rights,
    check_writable,
    schema_of,
    stay_in_schema_of,
    try_to_write,
)
from growbin_jobs.engine.errors import ConfigurationError

COLUMN_TYPES: Final[dict[Dialect, dict[str, str]]] = {
    "postgresql": {
        "text": "TEXT",
        "bytes": "BYTEA",
        "json": "JSONB",
        "double": "DOUBLE PRECISION",
        "bigint": "BIGINT",
        "time": "TIMESTAMPTZ",
        "postgresql": "",
        "sqlite": "--",  # the rest of the line is a comment
    },
    "sqlite": {
        "text": "TEXT",
        "bytes": "BLOB",
        "json": "TEXT",
        "double": "REAL",
        "bigint": "INTEGER",
        "time": "TEXT",
        "postgresql": "--",
        "sqlite": "",
    },
}

#: A statement of an upgrade may take so long: an index over many rows, or another pod's upgrade.
_LONGEST: Final = timedelta(minutes=15)

#: Of PostgreSQL's advisory lock; any number that nothing else in the same database uses.
_LOCK: Final = 0x67726F7762696E

#: In a migration's file: a program whose newest migration is older than N cannot work with the schema.
_MARKER: Final = re.compile(r"^-- incompatible-below: (\d+)\s*$", re.MULTILINE)

_CREATE: Final = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)

_FIRST: Final = """
    CREATE TABLE IF NOT EXISTS schema_version (
        version INTEGER NOT NULL PRIMARY KEY, name $text NOT NULL, applied_at $time NOT NULL
    )
"""


class SchemaVersion(peewee.Model):
    """Table ``schema_version``: which migrations this database has."""

    version = peewee.IntegerField(primary_key=True)
    name = peewee.TextField()
    applied_at = UtcField()
    incompatible_below = peewee.IntegerField(null=True)

    class Meta:
        table_name = "schema_version"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of ``migrations/``."""

    version: int
    name: str
    template: str

    def sql(self, dialect: Dialect) -> str:
        """Return its statements for one kind of database."""
        return Template(self.template).substitute(COLUMN_TYPES[dialect])

    @property
    def incompatible_below(self) -> int | None:
        """Version that a program must know, as the file says it; None: every older program works with it too."""
        marker = _MARKER.search(self.template)
        return int(marker[1]) if marker else None


#: Packages that have a folder ``migrations``.
Schema = tuple[str, ...]

#: What the engine alone needs.
ENGINE_SCHEMA: Final[Schema] = ("growbin_jobs.engine.central",)


@cache
def migrations(schema: Schema) -> tuple[Migration, ...]:
    """Return all migrations that this program knows, in order."""
    folders = (files(package) / "migrations" for package in schema)
    found = (path for folder in folders for path in folder.iterdir() if path.name.endswith(".sql"))
    parts = sorted((path.name.removesuffix(".sql"), path.read_text("utf-8")) for path in found)
    return tuple(Migration(int(name.partition("_")[0]), name, template) for name, template in parts)


def upgrade(database: Database, schema: Schema) -> list[str]:
    """Bring the database to the current schema; does nothing where it is current or newer.

    Any number of processes may run it at once, under a lock. On PostgreSQL, where others work meanwhile, each migration
    is one transaction. On SQLite, which has one writer, all together are one: to commit each took most of the time.

    Returns:
      The names of the migrations that this call applied.

    Raises:
      ConfigurationError: When it cannot store all text or cannot be written to, has the tables where they are not
        found, or this user may not make tables or lacks a right to one.
      Deferred: When the database is away, denies a right, or something holds a table for longer than 10 s. Run it
        again.
      Transient: When it refuses a statement of a migration. Nothing of that migration is left behind.
    """
    applied: list[str] = []
    if not _look(database, schema):
        return applied  # without a transaction, which waits on SQLite for whoever writes: every command opens it so
    while names := database.transaction(lambda connection: _apply_next(connection, database.dialect, schema)):
        applied += names
    return applied


def pending(database: Database, schema: Schema) -> list[str]:
    """Return the names of the migrations that the database lacks, in order.

    Raises:
      Deferred: When the database is away.
    """
    present = database.run(lambda connection: _present(connection, database.dialect))
    return [migration.name for migration in migrations(schema) if migration.version not in present]


def require_current(database: Database, schema: Schema, command: str = UPGRADE_COMMAND) -> None:
    """Refuse to work on a schema that this program cannot work with: pods of two versions run side by side.

    Raises:
      ConfigurationError: When the database is behind, or has a newer migration that says that it is not for this
        program (``-- incompatible-below: N``), or cannot store all text; the sentence says what to do.
      Deferred: When the database is away.
    """
    check_encoding(database)
    present, known = database.run(lambda connection: _present(connection, database.dialect)), migrations(schema)
    missing = [migration.name for migration in known if migration.version not in present]
    if missing:
        lacks = ", ".join(missing) if len(missing) < 4 else f"{missing[0]} to {missing[-1]} ({len(missing)} migrations)"
        raise ConfigurationError(f"The database {database.address} lacks {lacks}. Run: {command}")
    newest = known[-1].version
    if any(needed is not None and newest < needed for needed in present.values()):
        raise ConfigurationError(
            f"The database {database.address} has schema {max(present)}, this program knows {newest} and cannot work "
            "with it. Install the version of growbin-jobs that upgraded it, or a newer one."
        )


def check(database: Database, schema: Schema, command: str = UPGRADE_COMMAND) -> None:
    """Try the database as a starting process would need it, for ``growbin-jobs doctor``.

    Raises:
      ConfigurationError, Deferred: With a sentence that says what is wrong and how to mend it.
    """
    database.connect()
    _look(database, schema)
    require_current(database, schema, command)
    try_to_write(database)


def _look(database: Database, schema: Schema) -> bool:
    """Refuse what could not be worked with, or not be upgraded where that is needed; return whether it is needed."""
    check_encoding(database)
    check_writable(database)
    check_rights(database, tables_of(schema))
    check_keys(database, tables_of(schema))
    missing = bool(pending(database, schema))
    if missing:
        check_place(database, tables_of(schema), SchemaVersion._meta.table_name)
    return missing


def tables_of(schema: Schema) -> list[str]:
    """Return the tables that the migrations make, and that of their versions."""
    made = (_CREATE.findall(migration.template) for migration in migrations(schema))
    return [SchemaVersion._meta.table_name, *(name for names in made for name in names)]


def _present(connection: Any, dialect: Dialect) -> dict[int, int | None]:
    """Return the versions that a database has, each with the oldest version of a program that can work with it."""
    if schema_of(connection, dialect, SchemaVersion._meta.table_name) is None:
        return {}
    cursor = connection.execute_sql("SELECT * FROM schema_version")  # one column more since 2026-12
    names = [column[0] for column in cursor.description] if cursor.description else []
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row["version"]: row.get("incompatible_below") for row in rows}


def _apply_next(connection: Any, dialect: Dialect, schema: Schema) -> list[str]:
    if dialect != "postgresql":
        return _apply(connection, dialect, schema)
    from growbin_jobs.engine.central.silent_servers import patient

    with patient(connection.connection(), 2 * _LONGEST.total_seconds()):
        # Waiting for our own lock may take as long as another pod's migration; waiting for a table may not, since
        # everything else that wants the table queues up behind us.
        connection.execute_sql(f"SET LOCAL statement_timeout = {int(_LONGEST.total_seconds() * 1000)}")
        connection.execute_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute_sql("SET LOCAL lock_timeout = '10s'")
        return _apply(connection, dialect, schema, at_most=1)


def _apply(connection: Any, dialect: Dialect, schema: Schema, *, at_most: int | None = None) -> list[str]:
    """Apply the first migrations that are missing, and return their names."""
    present = _present(connection, dialect)
    following = [migration for migration in migrations(schema) if migration.version not in present][:at_most]
    if not following:
        return []
    if present:
        stay_in_schema_of(connection, dialect, SchemaVersion._meta.table_name)
    else:
        connection.execute_sql(Template(_FIRST).substitute(COLUMN_TYPES[dialect]))
    add_column(connection, dialect, SchemaVersion._meta.table_name, "incompatible_below", "INTEGER")
    for migration in following:
        connection.execute_sql(migration.sql(dialect))
    now = datetime.now(UTC)
    rows = [
        {
            "version": each.version, "name": each.name, "applied_at": now,
            "incompatible_below": each.incompatible_below,
        }
        for each in following
    ]  # fmt: skip
    SchemaVersion.insert_many(rows).execute(connection)
    return [migration.name for migration in following]
