"""The table ``attempt``: runs of a task that did not complete, for people. The last run is also the task's own row."""

from __future__ import annotations

from dataclasses import fields

import apsw

from growbin_jobs.engine.delivery.records import Attempt, Finish, Outcome

#: Version of the schema that brought the table.
SINCE = 2

COLUMNS = ", ".join(field.name for field in fields(Attempt))

ENDED = f"INSERT INTO attempt ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 constants only

#: ?3 is the process that died. By now another one may run the message and have told so: that is another run.
CRASHED = f"""
INSERT INTO attempt ({COLUMNS})
SELECT ?1, 'crashed', run.started_at, ?2, run.worker, ?4, run.retry_count, run.deferrals, NULL
FROM (SELECT 1) LEFT JOIN task_wal AS run
    ON run.task_id = ?1 AND run.status = 'running' AND run.worker LIKE '%/' || ?3
WHERE NOT EXISTS (SELECT 1 FROM task_wal WHERE task_id = ?1 AND status IN ('completed', 'dead'))
"""  # noqa: S608 constants only


def record(connection: apsw.Connection, finish: Finish) -> None:
    """Keep the end of a run that did not complete. Inside the transaction that writes the end."""
    values = (
        finish.task_id, _outcome(finish), finish.started_at, finish.completed_at, finish.worker, finish.error,
        finish.retry_count, finish.deferrals, finish.due_at,
    )  # fmt: skip
    connection.execute(ENDED, values)


def record_crash(connection: apsw.Connection, task_id: str, *, pid: int | None, error: str, now: float) -> None:
    """Keep a run whose process died, unless the task has ended otherwise. Before the task's row says so.

    Parameters:
      pid: Of that process, as far as it is known.
      error: In words that may be stored.
      now: When it was found, seconds since 1970, UTC.
    """
    connection.execute(CRASHED, (task_id, now, pid, error))


def of_task(connection: apsw.Connection, task_id: str) -> list[Attempt]:
    """Return the latest attempts of a task, oldest first; none of a file that no worker of this version has opened."""
    if connection.pragma("user_version") < SINCE:
        return []
    query = f"SELECT {COLUMNS} FROM attempt WHERE task_id = ? ORDER BY id"  # noqa: S608 constants only
    return [
        Attempt(task_id, Outcome(outcome), *rest) for task_id, outcome, *rest in connection.execute(query, (task_id,))
    ]


def _outcome(finish: Finish) -> Outcome:
    if finish.dead:
        return Outcome.DEAD
    return Outcome.DEFERRED if finish.deferred else Outcome.FAILED
