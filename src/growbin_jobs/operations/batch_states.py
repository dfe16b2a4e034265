"""Batches of paid calls as people see them: how far each is, what it waits for, and what its money has become."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.cursors import Place, decoded
from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.batch_totals import BatchTotals, batch_totals
from growbin_jobs.models.batch_life import WINDOW, State
from growbin_jobs.models.batch_lists import AskedQuestion, BatchLists
from growbin_jobs.models.batch_questions import BatchQuestions
from growbin_jobs.models.batches import Batch, Batches
from growbin_jobs.operations.waiting import Waiting

_SORT: Final = "-made"
_QUESTIONS: Final = "id"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForBatch:
    """Questions to one model that no batch has yet.

    Attributes:
      number: How many.
      since: When the first of them was put down.
      why: ``gathering``: more are awaited; ``no_room``: batches at the server hold as many tokens as they may;
        ``next_look``: they are taken at the next look, each five minutes, as far as the budgets have room.
    """

    model: str
    number: int
    since: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    """A page of batches, the newest first; ``next`` is the cursor of the one behind it.

    Attributes:
      waiting: What waits for the next batch, by model.
      tokens_at_server: Of all batches that are not done, by estimate.
      most_tokens: That they may hold; None: any number.
    """

    batches: list[BatchLine]
    next: str | None
    waiting: list[WaitingForBatch]
    tokens_at_server: int
    most_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDetail:
    """A batch with a page of its questions; ``next`` is the cursor of the one behind it."""

    batch: BatchLine
    questions: list[AskedQuestion]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """How batches are made, by the settings.

    Attributes:
      requests: Of one batch, at most.
      gather: Seconds that questions are gathered.
      tokens: Of all batches at the server at most; 0: any.
    """

    requests: int
    gather: float
    tokens: int


def batch_page(
    database: Database, sizes: BatchSizes, *, states: Collection[State] = (), cursor: str | None = None, limit: int = 50
) -> BatchPage:
    """Return batches, the newest first.

    Parameters:
      states: Only those in one of these; none named: all.
      cursor: Of an earlier page.

    Raises:
      SearchError: The cursor is none.
      Deferred: The database is away.
    """
    batches = Batches(database)
    found = batches.page(states=states, behind=_behind(cursor) if cursor else None, limit=limit + 1)
    shown, tokens = found[:limit], batches.tokens_at_the_server()
    return BatchPage(
        batches=lines(database, shown),
        next=_cursor(shown[-1]) if len(found) > limit else None,
        waiting=waiting_for_batch(database, sizes, tokens),
        tokens_at_server=tokens,
        most_tokens=sizes.tokens or None,
    )


def batch_detail(database: Database, batch_id: str, *, cursor: str | None = None, limit: int = 50) -> BatchDetail:
    """Return one batch with a page of its questions.

    Parameters:
      batch_id: Our id of it, or the server's.
      cursor: Of an earlier page of questions.

    Raises:
      NotFound: There is none.
      SearchError: The cursor is none.
      Deferred: The database is away.
    """
    after = decoded(cursor, sort=_QUESTIONS).task_id if cursor else ""
    batch = Batches(database).get(batch_id)
    found = BatchLists(database).questions(batch.id, after=after, limit=limit + 1)
    shown = found[:limit]
    following = Place(_moment(batch.made_at).isoformat(), shown[-1].id, _QUESTIONS) if len(found) > limit else None
    [line] = lines(database, [batch])
    return BatchDetail(batch=line, questions=shown, next=following.encoded() if following else None)


def waiting_for_batch(database: Database, sizes: BatchSizes, tokens: int) -> list[WaitingForBatch]:
    """Return what waits for the next batch, by model.

    Parameters:
      tokens: Of all batches that are not done.
    """
    now = datetime.now(UTC).timestamp()
    found = []
    for each in BatchQuestions(database).waiting():
        is_full = bool(sizes.tokens) and tokens >= sizes.tokens
        gathers = each.seconds < sizes.gather and each.number < sizes.requests
        why = "no_room" if is_full else "gathering" if gathers else "next_look"
        since = _moment(now - each.seconds)
        found.append(WaitingForBatch(model=each.model, number=each.number, since=since, why=why))
    return found


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
        made_at=_moment(batch.made_at),
        sent_at=_moment_or_none(batch.sent_at),
        ended_at=_moment_or_none(batch.ended_at),
        next_at=None if is_done else _moment_or_none(batch.next_at or None),
        done_by=None if is_done or batch.sent_at is None else _moment(batch.sent_at + WINDOW),
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


def _behind(cursor: str) -> tuple[float, str]:
    place = decoded(cursor, sort=_SORT)
    made_at = place.value
    if not isinstance(made_at, int | float):
        raise SearchError("The cursor is none that this server gave. Begin at the first page.", 0)
    return float(made_at), place.task_id


def _cursor(batch: Batch) -> str:
    return Place(_moment(batch.made_at).isoformat(), batch.id, _SORT, batch.made_at).encoded()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _moment_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)
