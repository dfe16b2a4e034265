"""A batch of paid calls in one line: how far it is, what it waits for, and what its money has become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.batch_totals import BatchTotals, batch_totals
from growbin_jobs.models.batch_life import WINDOW, State, moment
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.operations.waiting import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """A batch.

    Attributes:
      id: Our own id, which the server has in the batch's metadata.
      state: ``collecting``, ``uploaded``, ``creating``, ``sent``, ``reading`` or ``done``.
      outcome: How it ended, in the server's word, ``no_batches``, ``not_made``, ``not_taken`` or ``lost``.
      waiting: What it waits for; None: it is done.
      problem: What kept it from being made, or why it failed.
      requests: How many it asks for; ``answered`` of them were answered, ``standard`` were asked in the standard tier,
        ``open`` have no answer yet.
      tokens: Estimate of the tokens that it sends.
      money: None where nobody knows it: it was done before this was kept.
      looks: How often the server was asked how far it is.
      made_at, sent_at, ended_at: When it was begun, created at the server, and done.
      next_at: When it is worked on again.
      done_by: When the server has answered it at the latest.
      cancelled_by: Who wants it to end.
    """

    id: str
    server_id: str | None
    model: str
    state: str
    outcome: str | None
    server_status: str | None
    waiting: Waiting | None
    problem: str | None
    requests: int
    answered: int
    standard: int
    open: int
    tokens: int
    money: BatchTotals | None
    looks: int
    made_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    next_at: datetime | None
    done_by: datetime | None
    cancelled_by: str | None


def lines(database: Database, batches: Sequence[Batch]) -> list[BatchLine]:
    """Return batches as lines, with their money."""
    sql = SqlWords(database.dialect)
    # Of those that are done it is kept; of the few under way it is added up from the books.
    under_way = [batch.id for batch in batches if batch.state is not State.DONE]
    money = database.run(lambda connection: batch_totals(sql, connection, under_way)) if under_way else {}
    return [_line(batch, money) for batch in batches]


def _line(batch: Batch, money: dict[str, BatchTotals]) -> BatchLine:
    is_done = batch.state is State.DONE
    return BatchLine(
        id=batch.id,
        server_id=batch.server_id,
        model=batch.model,
        state=batch.state.value,
        outcome=batch.outcome,
        server_status=batch.server_status,
        waiting=None if is_done else _why(batch),
        problem=batch.problem,
        requests=batch.requests,
        answered=batch.answered,
        standard=batch.standard,
        open=0 if is_done else max(0, batch.requests - batch.answered - batch.standard),
        tokens=batch.tokens,
        money=_kept(batch) if is_done else money.get(batch.id, BatchTotals()),
        looks=batch.looks,
        made_at=moment(batch.made_at),
        sent_at=_moment_or_none(batch.sent_at),
        ended_at=_moment_or_none(batch.ended_at),
        next_at=None if is_done else _moment_or_none(batch.next_at or None),
        done_by=None if is_done or batch.sent_at is None else moment(batch.sent_at + WINDOW),
        cancelled_by=batch.cancelled_by,
    )


def _why(batch: Batch) -> Waiting:
    """Return what a batch waits for that is not done."""
    if batch.problem is not None and batch.state is not State.READING:
        return Waiting("batch_problem", {"cause": batch.problem, "at": batch.next_at})
    if batch.cancelled_by is not None:
        return Waiting("batch_ending", {"name": batch.cancelled_by})
    if batch.state is State.SENT:
        at = (batch.sent_at or batch.made_at) + WINDOW
        return Waiting("batch_sent", {"status": batch.server_status or "", "at": at})
    return Waiting("batch_reading" if batch.state is State.READING else "batch_made")


def _kept(batch: Batch) -> BatchTotals | None:
    if batch.reserved is None or batch.settled is None or batch.unknown is None:
        return None
    return BatchTotals(batch.reserved, batch.settled, batch.unknown)


def _moment_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else moment(seconds)
