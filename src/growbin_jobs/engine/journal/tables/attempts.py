"""The table ``attempt``: runs of a task that did not complete, for people. The last run is also the task's own row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple

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

#: The wait is that of a first run; later ones wait for their retry too.
UNSYNCED = f"""
SELECT attempt.id, {", ".join(f"attempt.{field.name}" for field in fields(Attempt))},
    ifnull(task_name, ''), ifnull(queue_name, ''),
    CASE WHEN attempt.retry_count = 0 AND attempt.deferrals = 0 THEN max(attempt.started_at - created_at, 0.0) END
FROM attempt LEFT JOIN task_wal USING (task_id) WHERE attempt.copied_at IS NULL AND attempt.id > ?
ORDER BY attempt.id LIMIT ?
"""  # noqa: S608 constants only


class UnsyncedAttempt(NamedTuple):
    """An attempt that the central database does not have.

    Attributes:
      id: Its number in this journal.
      waited: Seconds from its message to its start; None where it is no first run.
    """

    id: int
    attempt: Attempt
    task_name: str
    queue_name: str
    waited: float | None


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


def unsynced(connection: apsw.Connection, *, after: int = 0, limit: int) -> list[UnsyncedAttempt]:
    """Return attempts that are to be copied, in the order in which they ended.

    Parameters:
      after: ``id`` of the last one of the page before.
    """
    found = []
    for number, task_id, outcome, *rest in connection.execute(UNSYNCED, (after, limit)):
        attempt = Attempt(task_id, Outcome(outcome), *rest[:-3])
        found.append(UnsyncedAttempt(number, attempt, *rest[-3:]))
    return found


def count_unsynced(connection: apsw.Connection, *, limit: int) -> int:
    """Return how many attempts are to be copied, up to a limit."""
    query = "SELECT count(*) FROM (SELECT 1 FROM attempt WHERE copied_at IS NULL LIMIT ?)"
    n: int = connection.execute(query, (limit,)).get
    return n


def mark(connection: apsw.Connection, copied: Sequence[UnsyncedAttempt], *, at: float) -> None:
    """Note that attempts are in the central database. Inside a transaction.

    Parameters:
      at: Seconds since 1970, UTC.
    """
    # By the task too: the number of a deleted attempt may be given out again.
    values = ((at, each.id, each.attempt.task_id) for each in copied)
    connection.executemany("UPDATE attempt SET copied_at = ? WHERE id = ? AND task_id = ?", values)


def _outcome(finish: Finish) -> Outcome:
    if finish.dead:
        return Outcome.DEAD
    return Outcome.DEFERRED if finish.deferred else Outcome.FAILED
