"""Reads the requests to model servers that were made for analyses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.usage import LlmUsage


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that was answered: for which analysis, its cost in micro-dollars (None: not known), its seconds."""

    analysis_id: str
    cost: int | None
    seconds: float


def answered_requests(database: Database, analysis_ids: Sequence[str], *, purpose: str) -> list[AnsweredRequest]:
    """Return the answered requests for some analyses.

    Parameters:
      analysis_ids: Which.
      purpose: What the answers were for.

    Raises:
      Deferred: The database is away.
    """
    row = LlmUsage
    query = row.select(row.analysis_id, row.cost, row.latency_ms).where(
        row.analysis_id.in_(list(analysis_ids)), row.purpose == purpose, row.outcome == "answered"
    )
    return [AnsweredRequest(one["analysis_id"], one["cost"], one["latency_ms"] / 1000) for one in database.rows(query)]


def answered_analyses(database: Database, analysis_ids: Sequence[str], *, purpose: str, since: datetime) -> set[str]:
    """Return those of some analyses for which a request of a purpose was answered since a time (aware).

    Raises:
      Deferred: The database is away.
    """
    row, found = LlmUsage, set()
    for start in range(0, len(analysis_ids), 500):
        page = list(analysis_ids[start : start + 500])
        query = row.select(row.analysis_id).where(
            row.analysis_id.in_(page), row.purpose == purpose, row.outcome == "answered", row.sent_at >= since
        )
        found |= {one["analysis_id"] for one in database.rows(query.distinct())}
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestOfAnalysis:
    """A request to a model server; ``cost`` in micro-dollars, None where it is not known."""

    message_id: str | None
    attempt: int | None
    purpose: str
    model: str
    outcome: str
    sent_at: datetime
    seconds: float
    tokens_in: int | None
    tokens_out: int | None
    cost: int | None


def requests_of_analysis(database: Database, analysis_id: str, *, limit: int = 200) -> list[RequestOfAnalysis]:
    """Return the requests for one analysis, the first ones first.

    Raises:
      Deferred: The database is away.
    """
    row = LlmUsage
    columns = (
        row.message_id, row.attempt, row.purpose, row.model, row.outcome, row.sent_at, row.latency_ms, row.tokens_in,
        row.tokens_out, row.cost,
    )  # fmt: skip
    query = row.select(*columns).where(row.analysis_id == analysis_id).order_by(row.sent_at, row.id).limit(limit)
    return [RequestOfAnalysis(seconds=one.pop("latency_ms") / 1000, **one) for one in map(dict, database.rows(query))]
