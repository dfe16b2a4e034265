"""Claims due times: writes what is decided of them, so that one process sends each. Under a job's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.scheduler.claiming import Step
from growbin_jobs.scheduler.jobs import message_id, next_message_id
from growbin_jobs.scheduler.rows import LedgerRow, RunState

#: How long a scheduler has for sending what it has claimed; then another one sends it.
LEASE: Final = timedelta(seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A due time that this process sends now.

    Attributes:
      due: When it is nominally due.
      since, until: The data that it is about.
      message_id: The same whoever sends it.
      fence: Grows with each claim; only the latest one may say that it was sent.
    """

    job: str
    due: datetime
    since: datetime
    until: datetime
    message_id: str
    fence: int


def claim(connection: Any, job: str, steps: Sequence[Step], now: datetime, *, process: str) -> list[Claim]:
    """Write what is decided of due times, and return those that this process sends, in order.

    Parameters:
      job: Whose they are.
      steps: What is decided.
      now: By the clock that decides.
      process: The name of this process.
    """
    dues = [step.due for step in steps if _take(connection, job, step, now, process)]
    query = LedgerRow.select().where((LedgerRow.job == job) & LedgerRow.due.in_(dues)).order_by(LedgerRow.due)
    return [
        Claim(
            job=job,
            due=row["due"],
            since=row["data_since"],
            until=row["data_until"],
            message_id=row["message_id"],
            fence=row["fence"],
        )
        for row in (query.dicts().execute(connection) if dues else ())
    ]


def next_id(connection: Any, job: str, due: datetime) -> str:
    """Return the id of the message that comes after the one a due time has."""
    query = LedgerRow.select(LedgerRow.message_id).where((LedgerRow.job == job) & (LedgerRow.due == due))
    rows = list(query.dicts().execute(connection))
    return next_message_id(rows[0]["message_id"] if rows else message_id(job, due))


def _take(connection: Any, job: str, step: Step, now: datetime, process: str) -> bool:
    """Write a step; return whether it is one that this process sends."""
    row = LedgerRow
    this = (row.job == job) & (row.due == step.due)
    values: dict[str, Any] = {"state": step.state}
    if step.state is RunState.CLAIMED:
        values |= {"claimed_by": process, "claimed_until": now + LEASE, "fence": row.fence + 1}
        if step.anew:
            values |= {"message_id": next_id(connection, job, step.due), "sent_at": None}
    else:
        values["reason"] = step.reason
        if step.state is not RunState.DUE:
            values["ended_at"] = now
    row.update(values).where(this).execute(connection)
    return step.state is RunState.CLAIMED
