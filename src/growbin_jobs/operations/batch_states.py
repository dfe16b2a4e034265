"""Batches of paid calls as people see them: a list with what waits for the next one, and one with its questions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.cursors import Place, decoded, not_ours
from growbin_jobs.models.batch_life import Sizes, State, moment
from growbin_jobs.models.batch_lists import AskedQuestion, BatchLists
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batch_waiting import BatchWaiting
from growbin_jobs.models.batches import Batches
from growbin_jobs.models.made_batches import MadeBatches
from growbin_jobs.operations.batch_line import BatchLine, lines

_SORT: Final = "-made"
_QUESTIONS: Final = "id"


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


def batch_page(
    database: Database, sizes: Sizes, *, states: Collection[State] = (), cursor: str | None = None, limit: int = 50
) -> BatchPage:
    """Return batches, the newest first.

    Parameters:
      states: Only those in one of these; none named: all.
      cursor: Of an earlier page.

    Raises:
      SearchError: The cursor is none.
      Deferred: The database is away.
    """
    found = MadeBatches(database).page(states=states, behind=_behind(cursor) if cursor else None, limit=limit + 1)
    shown, tokens = found[:limit], Batches(database).tokens_at_the_server()
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
    batch = MadeBatches(database).get(batch_id)
    found = BatchLists(database).questions(batch.id, after=after, limit=limit + 1)
    shown = found[:limit]
    following = Place(moment(batch.made_at).isoformat(), shown[-1].id, _QUESTIONS) if len(found) > limit else None
    [line] = lines(database, [batch])
    return BatchDetail(batch=line, questions=shown, next=following.encoded() if following else None)


def waiting_for_batch(database: Database, sizes: Sizes, tokens: int) -> list[WaitingForBatch]:
    """Return what waits for the next batch, by model.

    Parameters:
      tokens: Of all batches that are not done.
    """
    now = datetime.now(UTC).timestamp()
    found = []
    for each in BatchWaiting(database).by_model():
        is_full = bool(sizes.tokens) and tokens >= sizes.tokens
        gathers = each.seconds < sizes.gather and each.number < sizes.requests
        why = "no_room" if is_full else "gathering" if gathers else "next_look"
        since = moment(now - each.seconds)
        found.append(WaitingForBatch(model=each.model, number=each.number, since=since, why=why))
    return found


def _behind(cursor: str) -> tuple[float, str]:
    place = decoded(cursor, sort=_SORT)
    made_at = place.value
    if not isinstance(made_at, int | float):
        raise not_ours()
    return float(made_at), place.task_id


def _cursor(batch: Batch) -> str:
    return Place(moment(batch.made_at).isoformat(), batch.id, _SORT, batch.made_at).encoded()
