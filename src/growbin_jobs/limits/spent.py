"""What requests to model servers cost: sums by day, model, user, purpose or price tier, and between two moments."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Final, Literal

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.limits.usage_spans import sums_by_user

GroupBy = Literal["day", "model", "user", "purpose", "tier"]
_COLUMN: Final[dict[GroupBy, str]] = {
    "day": "day", "model": "model", "user": "user_id", "purpose": "purpose", "tier": "tier"
}  # fmt: skip


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


_NUMBERS: Final = tuple(field.name for field in fields(Spent) if field.name != "key")


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
