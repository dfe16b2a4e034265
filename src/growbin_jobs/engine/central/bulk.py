"""Writes many rows with one statement, on either database: for copies of journals, in a process without gevent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import peewee

from growbin_jobs.engine.central.driver import Dialect

#: Rows of one statement on PostgreSQL.
PAGE = 1000


def insert(
    connection: peewee.Database,
    dialect: Dialect,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    conflict: str,
) -> None:
    """Insert rows; the caller has begun a transaction.

    Parameters:
      table, columns, conflict: Constants; ``conflict`` is what stands behind ``ON CONFLICT``.
      rows: Texts without what PostgreSQL refuses, times as ISO 8601.
    """
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    if dialect == "sqlite":
        marks = ", ".join("?" * len(columns))
        raw.cursor().executemany(f"{head} ({marks}) ON CONFLICT {conflict}", rows)
        return
    from psycopg2.extras import execute_values

    with raw.cursor() as cursor:
        execute_values(cursor, f"{head} %s ON CONFLICT {conflict}", rows, page_size=PAGE)
