"""Looks at a central database before it is used: its encoding, where its tables lie, and the rights of its user."""

from collections.abc import Iterable
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.errors import ConfigurationError

#: Encodings of PostgreSQL that hold every text; SQL_ASCII stores bytes as they are.
_ENCODINGS: Final = ("UTF8", "SQL_ASCII")

_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

_MISSING_RIGHTS: Final = """
SELECT name, right_name FROM unnest(%s::text[]) AS name CROSS JOIN unnest(%s::text[]) AS right_name
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), right_name)
"""


def check_encoding(database: Database) -> None:
    """Refuse a PostgreSQL database that cannot hold every text.

    Raises:
      ConfigurationError: With how to make one that can.
      Deferred: When the database is away.
    """
    if database.dialect != "postgresql":
        return

    def ask(connection: Any) -> str:
        return str(connection.execute_sql("SHOW server_encoding").fetchone()[0])

    encoding = database.run(ask)
    if encoding not in _ENCODINGS:
        raise ConfigurationError(
            f"The database {database.address} is encoded in {encoding}, which cannot hold every text. "
            "Make another one: createdb --encoding=UTF8 --template=template0 NAME, and name it in the address."
        )


def check_rights(database: Database, tables: Iterable[str]) -> None:
    """Refuse a PostgreSQL user who may not read and write the tables.

    Parameters:
      tables: By name, found as statements find them; those that do not exist are passed over.

    Raises:
      ConfigurationError: With what the owner has to run.
      Deferred: When the database is away.
    """
    if database.dialect != "postgresql":
        return
    names = sorted(tables)

    def missing(connection: Any) -> tuple[str, str, list[tuple[str, str]], bool]:
        user, name = connection.execute_sql("SELECT current_user, current_database()").fetchone()
        found = connection.execute_sql(_MISSING_RIGHTS, (names, list(_RIGHTS))).fetchall()
        temporary = connection.execute_sql("SELECT has_database_privilege(current_database(), 'TEMPORARY')").fetchone()[
            0
        ]
        return user, name, found, temporary

    user, name, found, temporary = database.run(missing)
    commands = []
    if found:
        rights = ", ".join(right for right in _RIGHTS if right in {right for _, right in found})
        commands.append(f'GRANT {rights} ON {", ".join(sorted({table for table, _ in found}))} TO "{user}"')
    if not temporary:
        commands.append(f'GRANT TEMPORARY ON DATABASE "{name}" TO "{user}"')
    if commands:
        raise ConfigurationError(
            f"The user of {database.address} may not read and write all tables. Let their owner run: "
            + "; ".join(commands)
        )


def schema_of(connection: Any, dialect: Dialect, table: str) -> str | None:
    """Return the schema in which statements find a table, or None where they find none.

    On PostgreSQL that is any schema of the search path, and not only the first one, in which tables are made.
    """
    if dialect == "sqlite":
        return "main" if connection.table_exists(table) else None
    row = connection.execute_sql(
        "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE pg_class.oid = to_regclass(%s)",
        (table,),
    ).fetchone()
    return str(row[0]) if row else None


def stay_in_schema_of(connection: Any, dialect: Dialect, table: str) -> None:
    """Make tables in the schema where a table lies, for the rest of the transaction.

    A role that gets a schema of its own name later would else make a second set of tables there.
    """
    if dialect == "postgresql":
        connection.execute_sql(
            "SELECT set_config('search_path', quote_ident(%s) || ', ' || current_setting('search_path'), true)",
            (schema_of(connection, dialect, table),),
        )


def add_column(connection: Any, dialect: Dialect, table: str, name: str, kind: str) -> None:
    """Add a column, which may be NULL, unless it is there. All three are constants."""
    if dialect == "postgresql":
        connection.execute_sql(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {kind}")
    elif name not in {column.name for column in connection.get_columns(table)}:
        connection.execute_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
