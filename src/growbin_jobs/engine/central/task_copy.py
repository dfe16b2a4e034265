"""How rows of a node's journal enter the table ``tasks``, in bulk.

One statement takes over what is better than what is known. PostgreSQL gets the rows by COPY into a temporary table; the
journal's SQLite itself renders them for that (:func:`rendering`), at a tenth of what Python would need. SQLite reads
them in the journal's file (:func:`source`), so that Python does not touch them. Not in a gevent process: COPY does not
work there.
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import peewee

from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.errors import Away, Permanent
from growbin_jobs.engine.journal.tables.changes import HEAD, Page

COLUMNS: Final = (
    "task_id", "node", "task_name", "queue_name", "payload", "status", "delivery_tag", "created_at", "started_at",
    "completed_at", "error", "retry_count", "result", "worker", "synced_at", "deferrals", "crashes", "due_at", "seq",
)  # fmt: skip
_TIMES: Final = frozenset({"created_at", "started_at", "completed_at", "due_at", "synced_at"})
_NUMBERS: Final = frozenset({"delivery_tag", "retry_count", "deferrals", "crashes", "seq"})

#: Behind them: who sent the message. The journal has that apart from the task.
_FAMILY: Final = ("parent_id", "root_id")
_ALL: Final = COLUMNS + _FAMILY

#: What the journal does not say itself; parameters of :func:`rendering`.
_GIVEN: Final = {"node": ":node", "synced_at": ":at"}

#: Longest task id on PostgreSQL: it has to fit into an index.
_ID_LIMIT: Final = 1000


class Family(NamedTuple):
    """Who sent a task's message: the parent, and the first task of the chain."""

    parent_id: str
    root_id: str


def rendering(dialect: Dialect) -> str:
    """Return what to select of each row of a page for :func:`absorb`; it may use the parameters ``:node``, ``:at``."""
    if dialect == "sqlite":
        return _HAS_TIMES
    texts = [f"ifnull({_as_csv(name, _GIVEN.get(name, name))}, '')" for name in COLUMNS]
    return " || ',' || ".join(texts)


@contextmanager
def source(connection: peewee.Database, dialect: Dialect, page: Page) -> Iterator[None]:
    """Let a connection see the journal of a page, where that is needed; outside of transactions.

    Raises:
      Away: The journal cannot be read for now.
    """
    if dialect == "postgresql":
        yield
        return
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    # Read-only: a BEGIN IMMEDIATE takes no lock in it, and a file that is gone is not made.
    try:
        raw.execute("ATTACH ? AS journal", (f"{page.journal.absolute().as_uri()}?mode=ro",))
    except Exception as error:
        raise Away(f"The journal {page.journal} cannot be read ({type(error).__name__}).", wait=1.0) from None
    try:
        yield
    finally:
        raw.execute("DETACH journal")


def absorb(connection: peewee.Database, dialect: Dialect, page: Page, families: Mapping[str, Family]) -> int:
    """Take rows over; the caller has begun a transaction with :func:`source` around it.

    Parameters:
      page: Selected with :func:`rendering`.
      families: Who sent them, by task; of tasks of this page.

    Returns:
      How many were taken over.

    Raises:
      Permanent: A value is none that can be stored.
    """
    return (_copy if dialect == "postgresql" else _insert)(connection, page, families)


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


def _copy(connection: peewee.Database, page: Page, families: Mapping[str, Family]) -> int:
    lines = [f"{row[HEAD]},{_family_as_csv(families.get(row[1]))}\n" for row in page.rows]
    # PostgreSQL cannot store NUL, and takes a line of \. for the end of all rows, inside of quotes too (before 18).
    data = io.BytesIO("".join(lines).replace("\0", "\ufffd").replace("\n\\.", "\n \\.").encode())
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    with raw.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.copy_expert(_COPY, data, 65536)
        if cursor.rowcount != len(lines):
            raise Permanent("request_invalid", detail="a text ends the copy early")
        cursor.execute(_TAKE_OVER)
        taken: int = cursor.rowcount
    return taken


def _family_as_csv(family: Family | None) -> str:
    if family is None:
        return ","
    mark = chr(_QUOTE)
    return ",".join([f"{mark}{each.replace(mark, 2 * mark)}{mark}" for each in family])


# --- SQLite


def _as_stored(name: str) -> str:
    """Return the SQL of one value as SQLite stores it: a time as text."""
    value = _GIVEN.get(name, name)
    if name not in _TIMES:
        return value
    micros = f"CAST({value} * 1e6 + 0.5 AS INTEGER)"
    fraction = f"(({micros} % 1000000 + 1000000) % 1000000)"  # of a second; SQLite's remainder is negative before 1970
    second = f"({micros} - {fraction}) / 1000000"
    # strftime() takes twice as long as datetime().
    return f"replace(datetime({second}, 'unixepoch'), ' ', 'T') || printf('.%06d+00:00', {fraction})"


#: Whether a row of the journal has no time beyond the years 0 to 9999, of which SQLite knows no others.
_HAS_TIMES: Final = " AND ".join(
    f"ifnull({name}, 0) BETWEEN -62167219200 AND 253402300799" for name in sorted(_TIMES - {"synced_at"})
)

_FAMILIES: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS family (task_id TEXT PRIMARY KEY, parent_id TEXT, root_id TEXT) WITHOUT ROWID
"""
_INSERT: Final = _upsert(
    f"""SELECT {", ".join(map(_as_stored, COLUMNS))}, {", ".join(_FAMILY)}
    FROM journal.task_wal LEFT JOIN family USING (task_id)
    WHERE synced_at IS NULL AND seq BETWEEN :first AND :last ORDER BY seq""",  # noqa: S608 constants only
    "min",
)


def _insert(connection: peewee.Database, page: Page, families: Mapping[str, Family]) -> int:
    if not all(row[HEAD] for row in page.rows):
        raise Permanent("request_invalid", detail="a time is not one")
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    raw.execute(_FAMILIES)
    raw.execute("DELETE FROM family")
    raw.executemany("INSERT INTO family VALUES (?, ?, ?)", [(task_id, *each) for task_id, each in families.items()])
    raw.execute(_INSERT, {"first": page.rows[0][0], "last": page.last, "node": page.node, "at": page.at})
    taken: int = raw.changes()
    return taken


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
