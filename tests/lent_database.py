"""One PostgreSQL database for test after test: each finds it as the migrations leave it.

To copy a database takes the server a third of a second, to empty one a hundredth. What a test changes beside rows ends
its use, and the next test gets another one.
"""

from __future__ import annotations

from contextlib import closing

import psycopg2
from psycopg2 import sql

#: All that a test could make, change or remove, but rows.
_SHAPE = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
    SELECT concat_ws(' ', 'class', oid, relname, relnamespace, relkind, relacl, relowner)
        FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, attname, atttypid, attnotnull)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    UNION ALL SELECT concat_ws(' ', 'default', oid, adbin) FROM pg_attrdef
    UNION ALL SELECT concat_ws(' ', 'constraint', oid) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgenabled) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'function', oid, xmin) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT concat_ws(' ', 'namespace', oid, nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL SELECT concat_ws(' ', 'setting', setrole, setconfig) FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT concat_ws(' ', 'database', datacl, datdba) FROM pg_database WHERE datname = current_database()
) AS parts (part)
"""

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences"
_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class LentDatabase:
    """A database that was made for this, with the schema and with what its migrations have put in.

    Parameters:
      url: Of it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(_SHAPE)
            self._shape = cursor.fetchone()
            cursor.execute(_TABLES)
            self._tables = [sql.Identifier(name) for (name,) in cursor.fetchall()]
            self._rows = []
            for table in self._tables:
                cursor.execute(sql.SQL("SELECT * FROM {}").format(table))
                self._rows += [(table, row) for row in cursor.fetchall()]

    def returned(self) -> bool:
        """Make it as it was; False where more than rows was changed: it is of no more use."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(_OTHERS)
            cursor.execute(_SHAPE)
            if cursor.fetchone() != self._shape:
                return False
            cursor.execute("SET session_replication_role = replica")  # no keys, no triggers
            cursor.execute(sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(table) for table in self._tables))
            for table, row in self._rows:
                places = sql.SQL(", ").join(sql.Placeholder() * len(row))
                cursor.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(table, places), row)
            cursor.execute(_SEQUENCES)
            for (name,) in cursor.fetchall():
                cursor.execute("SELECT setval(%s, 1, false)", (name,))
        return True

    def _connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        return connection
