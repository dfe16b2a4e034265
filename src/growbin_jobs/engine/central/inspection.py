"""Looks at a central database before it is used: its encoding, where its tables lie, and the rights of its user."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from growbin_jobs.engine.central import row_security
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.errors import ConfigurationError

#: Encodings of PostgreSQL that hold every text; SQL_ASCII stores bytes as they are.
_ENCODINGS: Final = ("UTF8", "SQL_ASCII")

_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

#: More tables than this are not named one by one.
_MOST_TABLES: Final = 6

_MISSING_RIGHTS: Final = """
SELECT name, right_name, (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass(name))
FROM unnest(%s::text[]) AS name CROSS JOIN unnest(%s::text[]) AS right_name
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name), right_name)
"""

_KEYLESS: Final = """
SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL
  AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass(name) AND indisprimary AND indisvalid)
"""

#: Whether this session may write, and why not.
_READ_ONLY: Final = "SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery()"

#: Where a table of this name lies that the search path does not reach, and whether the path is nobody's own choice.
_ELSEWHERE: Final = """
SELECT nspname, has_schema_privilege(pg_namespace.oid, 'USAGE'),
  (SELECT source IN ('default', 'configuration file') FROM pg_settings WHERE name = 'search_path'),
  current_user, current_database()
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relname = %s AND relkind IN ('r', 'p') AND nspname !~ '^pg_' AND 3 = (
  SELECT count(*) FROM pg_attribute WHERE attrelid = pg_class.oid AND attname IN ('version', 'name', 'applied_at'))
ORDER BY 1 LIMIT 1
"""

#: Where tables are made, whether this user may make some, and the first of those that it may not change.
_MAY_MAKE: Final = """
SELECT nspname, has_schema_privilege(nspname, 'CREATE'), current_user,
  (SELECT min(relname) FROM pg_class WHERE relnamespace = place.oid AND relname = ANY(%s)
    AND relkind IN ('r', 'p') AND NOT pg_has_role(current_user, relowner, 'USAGE')),
  (SELECT min(pg_get_userbyid(relowner)) FROM pg_class WHERE relnamespace = place.oid AND relname = ANY(%s)
    AND relkind IN ('r', 'p') AND NOT pg_has_role(current_user, relowner, 'USAGE'))
FROM (SELECT %s::text AS name) AS wanted LEFT JOIN pg_namespace AS place ON nspname = COALESCE(name, current_schema())
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


def check_writable(database: Database) -> None:
    """Refuse a PostgreSQL server, or a user of it, that takes nothing but reads, and a file of SQLite that does.

    Raises:
      ConfigurationError: With how to reach one that can be written to.
      Deferred: When the database is away.
    """
    if database.dialect != "postgresql":
        file = Path(database.address.removeprefix("sqlite://"))
        for path in (file.parent, file):  # beside it SQLite puts its log
            if os.path.exists(path) and not os.access(path, os.W_OK | (os.X_OK if os.path.isdir(path) else 0)):
                raise ConfigurationError(
                    f"{path} is not writable for this user, so the database cannot be used. Run this as the user who "
                    "owns it, or name another place in the settings."
                )
        return

    def ask(connection: Any) -> tuple[bool, bool]:
        read_only, standby = connection.execute_sql(_READ_ONLY).fetchone()
        return read_only, standby

    read_only, standby = database.run(ask)
    if standby:
        raise ConfigurationError(
            f"{database.address} is a standby: it can only be read. Name the primary in the address; of several hosts "
            "target_session_attrs=read-write takes the one that can be written to."
        )
    if read_only:
        raise ConfigurationError(
            f"{database.address} can only be read: default_transaction_read_only is on. "
            "Run: ALTER ROLE CURRENT_USER SET default_transaction_read_only = off, or correct the address's options."
        )


def try_to_write(database: Database) -> None:
    """Write a page to PostgreSQL that nobody sees, as the first thing that fails on a full disk.

    Raises:
      Deferred: When it cannot be written; the sentence says why.
    """
    if database.dialect == "postgresql":

        def write(connection: Any) -> None:
            connection.execute_sql("CREATE TEMPORARY TABLE growbin_try ON COMMIT DROP AS SELECT 1 AS number")

        database.transaction(write)


def check_place(database: Database, tables: Iterable[str], first: str) -> None:
    """Refuse a PostgreSQL database in which this user cannot make or change the tables, or would make a second set.

    Parameters:
      tables: By name.
      first: The one that says where the others lie.

    Raises:
      ConfigurationError: With what the owner has to run.
      Deferred: When the database is away.
    """
    if database.dialect != "postgresql":
        return
    names = sorted(tables)

    def look(connection: Any) -> tuple[Any, ...]:
        found = schema_of(connection, "postgresql", first)
        elsewhere = None if found else connection.execute_sql(_ELSEWHERE, (first,)).fetchone()
        return elsewhere, connection.execute_sql(_MAY_MAKE, (names, names, found)).fetchone()

    # At one moment: what another process makes between two questions would look as if it lay elsewhere.
    elsewhere, (schema, may_make, user, foreign, owner) = database.snapshot(look)
    if elsewhere is not None:
        _refuse_elsewhere(database.address, *elsewhere)
    if schema is None:
        raise ConfigurationError(
            f"No schema of the search path exists in {database.address}. Let its owner run: CREATE SCHEMA public; "
            f'GRANT USAGE, CREATE ON SCHEMA public TO "{user}"'
        )
    if not may_make:
        raise ConfigurationError(
            f"The user of {database.address} may make no tables. Let the owner of the schema run: "
            f'GRANT USAGE, CREATE ON SCHEMA "{schema}" TO "{user}"'
        )
    if foreign is not None:
        raise ConfigurationError(
            f'The user of {database.address} may not change the table {foreign} of "{owner}": upgrade as that user, '
            f'or let it run: GRANT "{owner}" TO "{user}"'
        )


def _refuse_elsewhere(address: str, schema: str, usable: bool, unchosen: bool, user: str, name: str) -> None:
    # Two sets in one database are fine where somebody has chosen so, by the user's own search path.
    if not usable and unchosen:
        raise ConfigurationError(
            f'The tables in {address} lie in the schema "{schema}", which its user may not enter. Let their owner run: '
            f'GRANT USAGE ON SCHEMA "{schema}" TO "{user}"'
        )
    if unchosen:
        raise ConfigurationError(
            f'The tables in {address} lie in the schema "{schema}", where its user does not look. Run: '
            f'ALTER ROLE "{user}" IN DATABASE "{name}" SET search_path = "{schema}"'
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

    def missing(connection: Any) -> tuple[str, str, list[tuple[str, str, str]], bool, list[str]]:
        user, name = connection.execute_sql("SELECT current_user, current_database()").fetchone()
        found = connection.execute_sql(_MISSING_RIGHTS, (names, list(_RIGHTS))).fetchall()
        temporary = connection.execute_sql("SELECT has_database_privilege(current_database(), 'TEMPORARY')").fetchone()[
            0
        ]
        return user, name, found, temporary, row_security.remedies(connection, names)

    user, name, found, temporary, commands = database.run(missing)
    if found:
        rights = ", ".join(right for right in _RIGHTS if right in {right for _, right, _ in found})
        named, (schema, *others) = sorted({table for table, _, _ in found}), sorted({schema for _, _, schema in found})
        whole = len(named) > _MOST_TABLES and not others
        commands.append(
            f'GRANT {rights} ON {f"ALL TABLES IN SCHEMA {schema}" if whole else ", ".join(named)} TO "{user}"'
        )
    if not temporary:
        commands.append(f'GRANT TEMPORARY ON DATABASE "{name}" TO "{user}"')
    if commands:
        raise ConfigurationError(
            f"The user of {database.address} may not read and write all tables. Let their owner run: "
            + "; ".join(commands)
        )


def check_keys(database: Database, tables: Iterable[str]) -> None:
    """Refuse a PostgreSQL database whose tables have lost their keys: pg_restore makes them last, after the rows.

    Parameters:
      tables: By name; each has a primary key. Those that do not exist are passed over.

    Raises:
      ConfigurationError: With what to do.
      Deferred: When the database is away.
    """
    if database.dialect != "postgresql":
        return
    names = sorted(tables)

    def missing(connection: Any) -> list[str]:
        return [name for (name,) in connection.execute_sql(_KEYLESS, (names,)).fetchall()]

    if found := database.run(missing):
        named = ", ".join(found) if len(found) <= _MOST_TABLES else f"{found[0]} and {len(found) - 1} other tables"
        raise ConfigurationError(
            f"In {database.address} {named} lack their primary keys: it is being restored, or a restore broke off. Let "
            "it end, or restore into an empty database: pg_restore --single-transaction. Messages wait until then."
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
