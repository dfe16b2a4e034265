"""How messages that the broker has taken over enter the table ``tasks``: as pending, and with who sent them.

A row that is there stays as it is, whatever wrote it; it only learns who sent its message. So the order in which nodes
tell of a message, of its start and of its end makes no difference.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central import bulk
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.fields import storable, stored_moment
from growbin_jobs.engine.central.task_copy import Family, iso
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.tables.sent import SentMessage

COLUMNS: Final = (
    "task_id", "node", "task_name", "queue_name", "payload", "status", "created_at", "due_at", "synced_at", "seq",
    "parent_id", "root_id", "retry_count", "deferrals", "crashes",
)  # fmt: skip

_LEARN: Final = """(task_id) DO UPDATE SET parent_id = excluded.parent_id, root_id = excluded.root_id
    WHERE tasks.parent_id IS NULL AND excluded.parent_id IS NOT NULL"""

#: What was sent by a task of which nobody knew then that another one had sent it.
_REPAIR: Final = {
    "postgresql": """
        UPDATE tasks SET root_id = known.root
        FROM (SELECT unnest(%s::text[]) AS id, unnest(%s::text[]) AS root) AS known WHERE tasks.root_id = known.id
    """,
    "sqlite": """
        UPDATE tasks SET root_id = known.value
        FROM (SELECT key, value FROM json_each(?)) AS known WHERE tasks.root_id = known.key
    """,
}

_TAKEN_FOR_FIRST: Final = "SELECT DISTINCT root_id FROM tasks WHERE root_id IN (SELECT value FROM json_each(?))"


def absorb(
    connection: peewee.Database,
    dialect: Dialect,
    messages: Sequence[SentMessage],
    families: Mapping[str, Family],
    *,
    node: str,
    at: datetime,
) -> None:
    """Add messages as pending tasks, or tell tasks who sent them; the caller has begun a transaction.

    Parameters:
      families: Of those that a task has sent, by message.
      node: Whose journal says so.
    """
    unique = {each.message_id: each for each in messages}.values()
    if dialect == "postgresql":
        _copy(connection, unique, families, node, at)
        return
    unsent = (None, None)
    now = stored_moment(at)
    rows = [
        (
            each.message_id, node, each.task_name, each.queue_name, each.body.decode("utf-8", "replace"),
            TaskState.PENDING.value, iso(each.created_at), iso(each.due_at), now, each.seq,
            *families.get(each.message_id, unsent), 0, 0, 0,
        )
        for each in unique
    ]  # fmt: skip
    bulk.insert(connection, dialect, "tasks", COLUMNS, rows, _LEARN)


_STAGED: Final = "task_id, task_name, queue_name, payload, created_at, due_at, seq, parent_id, root_id"
_STAGING: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming_sent (
        task_id VARCHAR(1000), task_name TEXT, queue_name TEXT, payload TEXT, created_at BIGINT, due_at BIGINT,
        seq BIGINT, parent_id TEXT, root_id TEXT
    ) ON COMMIT DELETE ROWS
"""
_COPY: Final = f"COPY incoming_sent ({_STAGED}) FROM STDIN (FORMAT csv, QUOTE E'\\x01', ESCAPE E'\\x01')"
_ADD: Final = f"""
    INSERT INTO tasks ({", ".join(COLUMNS)})
    SELECT task_id, %s, task_name, queue_name, payload, 'pending', to_timestamp(created_at / 1e6::float8),
        to_timestamp(due_at / 1e6::float8), %s, seq, parent_id, root_id, 0, 0, 0
    FROM incoming_sent ORDER BY task_id COLLATE "C" ON CONFLICT {_LEARN}
"""  # noqa: S608 constants only


def _copy(
    connection: peewee.Database,
    messages: Collection[SentMessage],
    families: Mapping[str, Family],
    node: str,
    at: datetime,
) -> None:
    lines = []
    for each in messages:
        family = families.get(each.message_id)
        texts = (each.message_id, each.task_name, each.queue_name, each.body.decode("utf-8", "replace"))
        senders = "," if family is None else ",".join(map(_quoted, family))
        due_at = "" if each.due_at is None else int(each.due_at * 1e6 + 0.5)
        lines.append(
            f"{','.join(map(_quoted, texts))},{int(each.created_at * 1e6 + 0.5)},{due_at},{each.seq},{senders}\n"
        )
    # PostgreSQL cannot store NUL, and takes a line of \. for the end of all rows, inside of quotes too (before 18).
    text = "".join(lines).replace("\0", "\ufffd").replace("\n\\.", "\n \\.")
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    with raw.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.copy_expert(_COPY, io.BytesIO(text.encode()), 65536)
        if cursor.rowcount != len(lines):
            raise Permanent("request_invalid", detail="a text ends the copy early")
        cursor.execute(_ADD, (node, at))


def _quoted(text: str) -> str:
    return f"\1{text}\1" if "\1" not in text else "\1" + text.replace("\1", "\1\1") + "\1"


def by_index(connection: peewee.Database, dialect: Dialect) -> None:
    """Have the rest of a transaction look up tasks by their indexes.

    PostgreSQL knows nothing of lists and temporary tables, and may read all of ``tasks`` instead.
    """
    if dialect == "postgresql":
        for way in ("seqscan", "hashjoin", "mergejoin"):
            connection.execute_sql(f"SET LOCAL enable_{way} = off")  # type: ignore[no-untyped-call]


def repair(connection: peewee.Database, dialect: Dialect, first: Mapping[str, str]) -> None:
    """Lead descendants of tasks, whose own senders have only now become known, to the first task of their chain.

    Parameters:
      first: By task.
    """
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    pairs = sorted((storable(task_id), storable(root)) for task_id, root in first.items())
    if dialect == "sqlite":
        # Nearly never any, and to find that out costs a third of an update that changes nothing.
        taken = {row[0] for row in raw.execute(_TAKEN_FOR_FIRST, (json.dumps([task_id for task_id, _ in pairs]),))}
        if taken:
            raw.execute(_REPAIR[dialect], (json.dumps({each: root for each, root in pairs if each in taken}),))
        return
    with raw.cursor() as cursor:
        cursor.execute(_REPAIR[dialect], ([task_id for task_id, _ in pairs], [root for _, root in pairs]))


def roots(connection: peewee.Database, dialect: Dialect, task_ids: Collection[str]) -> dict[str, str]:
    """Return the first task of the chain of each of some tasks that were sent by others."""
    return {row[0]: row[1] for row in _select(connection, dialect, "task_id, root_id", "root_id IS NOT NULL", task_ids)}


def _select(
    connection: peewee.Database, dialect: Dialect, columns: str, condition: str, task_ids: Collection[str]
) -> list[Any]:
    raw: Any = connection.connection()  # type: ignore[no-untyped-call]
    ids = [storable(each) for each in task_ids]
    query = f"SELECT {columns} FROM tasks WHERE {condition} AND task_id"  # noqa: S608 constants only
    cursor = raw.cursor()
    try:
        if dialect == "sqlite":
            cursor.execute(f"{query} IN (SELECT value FROM json_each(?))", (json.dumps(ids),))  # noqa: S608
        else:
            cursor.execute(f"{query} = ANY(%s)", (ids,))
        return list(cursor.fetchall())
    finally:
        cursor.close()
