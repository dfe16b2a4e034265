"""Deletes old rows of a central table in batches, within a time; or only says how many there are and how large."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords

#: Rows of one transaction.
BATCH: Final = 5000

#: Seconds that one run takes for all its tables together; the next one goes on.
SECONDS: Final = 300.0

#: Rows that are looked at to estimate bytes.
_SAMPLE: Final = 200


@dataclass(frozen=True, slots=True)
class OldRows:
    """The rows of a table that are too old.

    Attributes:
      table: Its name.
      keys: Columns of its primary key.
      where: Condition in SQL that is written for both databases; values are marked by ``?``.
      values: Of the marks.
    """

    table: str
    keys: tuple[str, ...]
    where: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """How many rows of a table are too old; ``size``: their bytes as JSON, estimated from some of them."""

    table: str
    rows: int
    size: int


def forget(
    database: Database,
    old: Sequence[OldRows],
    *,
    seconds: float = SECONDS,
    batch: int = BATCH,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, int]:
    """Delete rows, batch by batch, each in a transaction of its own; return how many by table, without zeros.

    Parameters:
      seconds: No batch begins after so many.

    Raises:
      Deferred: The database is away.
    """
    sql, end, deleted = SqlWords(database.dialect), monotonic() + seconds, dict[str, int]()
    for each in old:
        keys = ", ".join(each.keys)
        chosen = f"({keys})" if len(each.keys) > 1 else keys
        statement = (
            f"DELETE FROM {each.table} WHERE {chosen} IN"  # noqa: S608 constants only
            f" (SELECT {keys} FROM {each.table} WHERE {each.where} LIMIT {batch})"
        )
        while monotonic() < end:
            values = each.values
            rows = database.run(lambda one, of=statement, values=values: sql.run(one, of, *values))  # type: ignore[misc]
            deleted[each.table] = deleted.get(each.table, 0) + rows
            if rows < batch:
                break
    return {table: rows for table, rows in deleted.items() if rows}


def measure(database: Database, old: OldRows) -> Measured:
    """Count rows that are too old, and delete none.

    Raises:
      Deferred: The database is away.
    """
    sql = SqlWords(database.dialect)
    count = f"SELECT count(*) FROM {old.table} WHERE {old.where}"  # noqa: S608 constants only
    some = f"SELECT * FROM {old.table} WHERE {old.where} LIMIT {_SAMPLE}"  # noqa: S608 constants only
    [(rows,)] = database.run(lambda one: sql.rows(one, count, *old.values))
    sample = database.run(lambda one: sql.rows(one, some, *old.values))
    bytes_ = sum(len(json.dumps(list(row), default=_plain)) for row in sample)
    return Measured(old.table, int(rows), round(bytes_ / len(sample) * rows) if sample else 0)


def _plain(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
