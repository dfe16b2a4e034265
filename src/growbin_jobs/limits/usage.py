"""Table ``llm_usage``, one row for each HTTP request to a model server, and sums over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final, Literal

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.usage_spans import sums_by_user
from growbin_jobs.limits.usage_sums import RETURNED, add

GroupBy = Literal["day", "model", "user", "purpose", "tier"]
_COLUMN: Final[dict[GroupBy, str]] = {
    "day": "day", "model": "model", "user": "user_id", "purpose": "purpose", "tier": "tier"
}  # fmt: skip


class LlmUsage(peewee.Model):
    """Table ``llm_usage``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    sent_at = UtcField()
    day = peewee.TextField()
    node = WordsField()
    purpose = peewee.TextField()
    analysis_id = WordsField(null=True)
    user_id = WordsField(null=True)
    message_id = WordsField(null=True)
    attempt = peewee.BigIntegerField(null=True)
    model = WordsField()
    served_model = WordsField(null=True)
    tier_asked = WordsField(null=True)
    tier_served = WordsField(null=True)
    outcome = peewee.TextField()
    billed = peewee.TextField()
    status = peewee.BigIntegerField(null=True)
    request_id = WordsField(null=True)
    latency_ms = peewee.BigIntegerField()
    first_byte_ms = peewee.BigIntegerField(null=True)
    tokens_in = peewee.BigIntegerField(null=True)
    tokens_cached = peewee.BigIntegerField(null=True)
    tokens_cache_written = peewee.BigIntegerField(null=True)
    tokens_reasoning = peewee.BigIntegerField(null=True)
    tokens_out = peewee.BigIntegerField(null=True)
    cost = peewee.BigIntegerField(null=True)
    price_version = peewee.TextField(null=True)
    question = peewee.TextField(null=True)

    class Meta:
        table_name = "llm_usage"


#: The price tier of a request in a batch, asked and served: a server's answers in a batch name another one, or none.
BATCH: Final = "batch"


#: The condition of rows that were HTTP requests of their own, in SQL; see :func:`is_by_itself`.
BY_ITSELF: Final = f"(tier_asked IS NULL OR tier_asked <> '{BATCH}')"


def is_by_itself() -> Any:
    """Return the condition of rows that were HTTP requests of their own: those of batches count in no limit."""
    return LlmUsage.tier_asked.is_null() | (LlmUsage.tier_asked != BATCH)


#: How each column's value is written; peewee composes an INSERT of so many columns in longer than it takes to run.
_WRITTEN: Final = {field.name: field.db_value for field in LlmUsage._meta.sorted_fields}


def insert(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows and add them to the sums; those that are there already stay as they are.

    Raises:
      Deferred: The database is away.
      Exception: It refuses a row; none was written.
    """
    one = f"({', '.join('?' for _ in _WRITTEN)})"
    sql = (
        f"INSERT INTO llm_usage ({', '.join(_WRITTEN)}) VALUES {', '.join(one for _ in rows)}"  # noqa: S608 - our own
        f" ON CONFLICT DO NOTHING RETURNING {RETURNED}"
    )
    values = [written(row[name]) for row in rows for name, written in _WRITTEN.items()]

    def work(connection: Any) -> None:
        add(connection, database.dialect, SqlWords(database.dialect).rows(connection, sql, *values))

    database.transaction(work)


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums over requests.

    Attributes:
      key: The day, model, user, purpose or price tier; None where the rows do not say.
      requests: HTTP requests, whatever became of them.
      tokens_in: Input tokens, cached ones included.
      tokens_out: Output tokens, reasoning included.
      micro_dollars: Of those whose price is known.
      unpriced: Requests that were billed, or may have been, and whose price is not known: not in ``micro_dollars``.
      tokens_cached: Of the input tokens, those read from the server's prompt cache.
      tokens_reasoning: Of the output tokens, those spent on reasoning.
    """

    key: str | None
    requests: int
    tokens_in: int
    tokens_out: int
    micro_dollars: int
    unpriced: int
    tokens_cached: int = 0
    tokens_reasoning: int = 0


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


def cost_between(database: Database, since: datetime, until: datetime) -> tuple[int, int]:
    """Return what the requests sent in a span of time cost, in micro-dollars, and how many of them have no price.

    It reads requests, whatever day they are counted on.

    Raises:
      Deferred: The database is away.
    """
    row = LlmUsage
    query = row.select(
        peewee.fn.COALESCE(peewee.fn.SUM(row.cost), 0).alias("cost"),
        (peewee.fn.COUNT(row.id) - peewee.fn.COUNT(row.cost)).alias("unpriced"),
    ).where(row.sent_at >= since, row.sent_at < until)
    [sums] = database.rows(query)
    return int(sums["cost"]), int(sums["unpriced"])


def spent(
    database: Database,
    *,
    by: GroupBy,
    since: date | None = None,
    until: date | None = None,
    limit: int | None = None,
) -> Sequence[Spent]:
    """Return what was spent, the greatest first (days in order).

    Parameters:
      by: What to sum by.
      since: First day, in the zone of the ledger.
      until: Last day.
      limit: Only so many, those that cost most; None: all.

    Raises:
      Deferred: The database is away.
    """
    key, sql = _COLUMN[by], SqlWords(database.dialect)
    days = (since.isoformat() if since else "", until.isoformat() if until else "9999")

    def read(connection: Any) -> list[Any]:
        if by == "user":
            rows_of, values = sums_by_user(sql, connection, *days)
        else:
            table = "llm_usage_tier" if by == "tier" else "llm_usage_total"
            rows_of, values = f"SELECT * FROM {table} WHERE day >= ? AND day <= ?", list(days)  # noqa: S608 our words
        statement = f"""
            SELECT {key}, sum(requests), sum(tokens_in), sum(tokens_out), sum(cost) AS money, sum(unpriced),
                sum(tokens_cached), sum(tokens_reasoning)
            FROM ({rows_of}) AS counted GROUP BY {key} ORDER BY money DESC, {key}{"" if limit is None else " LIMIT ?"}
        """  # noqa: S608 - our own words
        return sql.rows(connection, statement, *values, *(() if limit is None else (limit,)))

    rows = database.snapshot(read)
    found = [Spent(key or None, *map(int, numbers)) for key, *numbers in rows]
    # Sorted here: where rows without a key come, and how text is ordered, differs between databases.
    return sorted(found, key=lambda each: (0 if by == "day" else -each.micro_dollars, each.key or ""))


def spent_by_users(
    database: Database, *, since: date | None = None, until: date | None = None, most: int
) -> Sequence[Spent]:
    """Return what the users spent for whom most was paid, and at the end, without a key, all the rest together.

    Parameters:
      since, until: See :func:`spent`.
      most: Users that are named.

    Raises:
      Deferred: The database is away.
    """
    # Both at the same moment on PostgreSQL would take a transaction; what is paid for between them is in the rest.
    named = [one for one in spent(database, by="user", since=since, until=until, limit=most + 1) if one.key][:most]
    every = spent(database, by="purpose", since=since, until=until)
    rest = [sum(getattr(one, name) for one in every) - sum(getattr(one, name) for one in named) for name in _NUMBERS]
    return [*named, Spent(None, *rest)] if any(rest) else named


_NUMBERS: Final = tuple(field.name for field in fields(Spent) if field.name != "key")
