"""How rows of a node's journal enter the table ``tasks``, in bulk.

The journal's SQLite itself renders its rows (:func:`rendering`), at a tenth of what Python would need. PostgreSQL gets
them by COPY into a temporary table, from where one statement takes over what is better than what is known; SQLite gets
the same statement for each row. Not in a gevent process: COPY does not work there.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.errors import Permanent

COLUMNS: Final = (
    "task_id", "node", "task_name", "queue_name", "payload", "status", "delivery_tag", "created_at", "started_at",
    "completed_at", "error", "retry_count", "result", "worker", "synced_at", "deferrals", "crashes", "due_at", "seq",
)  # fmt: skip
_TIMES: Final = frozenset({"created_at", "started_at", "completed_at", "due_at", "synced_at"})
_NUMBERS: Final = frozenset({"delivery_tag", "retry_count", "deferrals", "crashes", "seq"})

#: Behind them: who sent the message. The journal has that apart from the task; :func:`with_parent` adds it.
_FAMILY: Final = ("parent_id", "root_id")
_ALL: Final = COLUMNS + _FAMILY

#: What the journal does not say itself; parameters of :func:`rendering`.
_GIVEN: Final = {"node": ":node", "synced_at": ":at"}

#: Longest task id on PostgreSQL: it has to fit into an index.
_ID_LIMIT: Final = 1000


def rendering(dialect: Dialect) -> str:
    """Return what to select from ``task_wal`` for :func:`absorb`; it has the parameters ``:node`` and ``:at``."""
    values = [_GIVEN.get(name, name) for name in COLUMNS]
    if dialect == "sqlite":
        return ", ".join((*map(_as_stored, COLUMNS, values), "NULL", "NULL"))
    texts = [f"ifnull({_as_csv(name, value)}, '')" for name, value in zip(COLUMNS, values, strict=True)]
    return " || ',' || ".join(texts) + f" || '{_NO_FAMILY}'"


def with_parent(dialect: Dialect, row: Sequence[Any], parent_id: str, root_id: str) -> Sequence[Any]:
    """Return a row as selected by :func:`rendering` with the task that sent it, and the first one of its chain."""
    if dialect == "sqlite":
        return (*row[: -len(_FAMILY)], parent_id, root_id)
    mark = chr(_QUOTE)
    parent, root = (f"{mark}{each.replace(mark, 2 * mark)}{mark}" for each in (parent_id, root_id))
    return (f"{row[0].removesuffix(_NO_FAMILY)},{parent},{root}",)


def absorb(connection: peewee.Database, dialect: Dialect, rows: Sequence[Sequence[Any]]) -> None:
    """Take rows over; the caller has begun a transaction.

    Parameters:
      rows: As selected by :func:`rendering`; of one task at most one.

    Raises:
      Permanent: A value is none that can be stored.
    """
    if dialect == "postgresql":
        _copy(connection, rows)
    else:
        _insert(connection, rows)


# --- what is better


def _upsert(source: str, least: str) -> str:
    changes = {name: f"excluded.{name}" for name in COLUMNS if name != "task_id"}
    changes |= {name: f"COALESCE(excluded.{name}, tasks.{name})" for name in _FAMILY}
    changes["created_at"] = f"{least}(tasks.created_at, excluded.created_at)"
    # A crash may be known of a task whose start was never written.
    changes["payload"] = "CASE excluded.payload WHEN 'null' THEN tasks.payload ELSE excluded.payload END"
    update = ", ".join(f"{name} = {value}" for name, value in changes.items())
    return f"""
        INSERT INTO tasks ({", ".join(_ALL)}) {source}
        ON CONFLICT (task_id) DO UPDATE SET {update}
        WHERE CASE WHEN excluded.node = tasks.node
              THEN tasks.status <> 'completed' AND (excluded.seq > tasks.seq OR excluded.status = 'completed')
              ELSE ({_rank("excluded")}, {_moment("excluded")}) > ({_rank("tasks")}, {_moment("tasks")}) END
    """


def _rank(row: str) -> str:
    # Where a message waited for the broker is known before it runs elsewhere, whatever the clocks of the nodes say.
    return f"CASE {row}.status WHEN 'completed' THEN 2 WHEN 'dead' THEN 1 WHEN 'pending' THEN -1 ELSE 0 END"


def _moment(row: str) -> str:
    # A start clears the end of the run before.
    return f"COALESCE({row}.completed_at, {row}.started_at, {row}.created_at)"


# --- PostgreSQL


#: What :func:`rendering` ends with: two columns without a value.
_NO_FAMILY: Final = ",,"

#: What texts are quoted with: nothing that a text holds, so that it need not be doubled a hundred times in its JSON.
_QUOTE: Final = 1


def _as_csv(name: str, value: str) -> str:
    """Return the SQL of one value as COPY's CSV has it; NULL for none."""
    if name in _TIMES:
        return f"CAST({value} * 1e6 + 0.5 AS INTEGER)"  # microseconds; as text a float would have too few digits
    if name in _NUMBERS:
        return value
    quote = f"char({_QUOTE})"
    return f"{quote} || replace({value}, {quote}, {quote} || {quote}) || {quote}"


def _staging_type(name: str) -> str:
    if name == "task_id":
        return f"VARCHAR({_ID_LIMIT})"
    return "BIGINT" if name in _TIMES | _NUMBERS else "TEXT"


def _from_staging(name: str) -> str:
    return f"to_timestamp({name} / 1e6::double precision)" if name in _TIMES else name


_STAGING: Final = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_tasks "
    f"({', '.join(f'{name} {_staging_type(name)}' for name in _ALL)}) ON COMMIT DELETE ROWS"
)
_COPY: Final = (
    f"COPY incoming_tasks ({', '.join(_ALL)}) FROM STDIN "
    f"(FORMAT csv, QUOTE E'\\x{_QUOTE:02x}', ESCAPE E'\\x{_QUOTE:02x}')"
)
_TAKE_OVER: Final = _upsert(
    # In the order of ids, so that two keepers that bring the same tasks never wait for each other in a circle. That of
    # their bytes, which is the cheapest.
    f"""SELECT {", ".join(map(_from_staging, _ALL))} FROM incoming_tasks ORDER BY task_id COLLATE "C" """,  # noqa: S608
    "LEAST",
)


def _copy(connection: peewee.Database, rows: Sequence[Sequence[Any]]) -> None:
    text = "\n".join([line for (line,) in rows]) + "\n"
    # PostgreSQL cannot store NUL, and takes a line of \. for the end of all rows, inside of quotes too (before 18).
    data = io.BytesIO(text.replace("\0", "\ufffd").replace("\n\\.", "\n \\.").encode())
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    with raw.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.copy_expert(_COPY, data, 65536)
        if cursor.rowcount != len(rows):
            raise Permanent("request_invalid", detail="a text ends the copy early")
        cursor.execute(_TAKE_OVER)


# --- SQLite

_INSERT: Final = _upsert(f"VALUES ({', '.join('?' for _ in _ALL)})", "min")


#: Places of the times in a row.
_TIME_PLACES: Final = tuple(place for place, name in enumerate(COLUMNS) if name in _TIMES)


def _insert(connection: peewee.Database, rows: Sequence[Sequence[Any]]) -> None:
    for place in _TIME_PLACES:
        if any(isinstance(row[place], int | float) for row in rows):
            raise Permanent("request_invalid", detail="a time is not one")
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    raw.cursor().executemany(_INSERT, rows)


def _as_stored(name: str, value: str) -> str:
    """Return the SQL of one value as SQLite stores it: a time as text; as the number that it is where it is no time."""
    if name not in _TIMES:
        return value
    micros = f"CAST({value} * 1e6 + 0.5 AS INTEGER)"
    fraction = f"(({micros} % 1000000 + 1000000) % 1000000)"  # of a second; SQLite's remainder is negative before 1970
    second = f"({micros} - {fraction}) / 1000000"
    return f"ifnull(strftime('%Y-%m-%dT%H:%M:%S', {second}, 'unixepoch') || printf('.%06d+00:00', {fraction}), {value})"


def iso(seconds: float | None) -> str | None:
    """Return a time as SQLite's columns have it.

    Raises:
      Permanent: It is none.
    """
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError, OSError):
        raise Permanent("request_invalid", detail="a time is not one") from None
