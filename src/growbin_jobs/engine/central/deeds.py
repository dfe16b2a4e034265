"""What a bulk job can do to its targets: each deed runs inside of the transaction that notes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from growbin_jobs.engine.central.bulk_jobs import BulkJob
from growbin_jobs.engine.central.bulk_work import Deed
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action, decide
from growbin_jobs.engine.central.reruns import Kind, Reruns, Wish
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.reruns import again, encoded
from growbin_jobs.engine.errors import Conflict


def deeds(database: Database) -> Mapping[str, Deed]:
    """Return how each verb is done to one target: a dead letter's id, or a task's."""
    sql = SqlWords(database.dialect)
    return {
        "retry": partial(_decide, sql, Action.RETRY),
        "discard": partial(_decide, sql, Action.DISCARD),
        "run_again": partial(_run_again, sql, Reruns(database)),
    }


def _decide(sql: SqlWords, action: Action, connection: Any, job: BulkJob, letter_id: str) -> str | None:
    if decide(connection, letter_id, action, by=job.by, at=datetime.now(UTC)):
        return None
    rows = sql.rows(connection, "SELECT taken_by FROM dead_letters WHERE id = ?", letter_id)
    if not rows:
        return "It is not kept any more."
    return f"{rows[0][0]} has decided about it." if rows[0][0] else "Somebody has dealt with it on its node."


def _run_again(sql: SqlWords, reruns: Reruns, connection: Any, job: BulkJob, task_id: str) -> str | None:
    rows = sql.rows(connection, "SELECT payload, task_name, queue_name FROM tasks WHERE task_id = ?", task_id)
    if not rows:
        return "The task is not kept any more."
    new_id = str(uuid5(NAMESPACE_OID, f"{job.id}:{task_id}"))
    try:
        message = again(rows[0][0], new_id, fresh=bool(job.filter.get("fresh")))
    except ValueError:
        return "It holds no message that could be sent."
    wish = Wish(
        task_id=new_id, rerun_of=task_id, kind=Kind.AGAIN, task_name=rows[0][1], queue_name=rows[0][2],
        body=encoded(message), by=job.by, reason=job.reason,
    )  # fmt: skip
    try:
        reruns.add(connection, wish, seen=None, at=datetime.now(UTC))
    except Conflict as error:
        return str(error)
    return None
