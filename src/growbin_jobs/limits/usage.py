"""Table ``llm_usage``, one row for each HTTP request to a model server, and sums over it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField

GroupBy = Literal["day", "model", "user", "purpose"]
_COLUMN: Final[dict[GroupBy, str]] = {"day": "day", "model": "model", "user": "user_id", "purpose": "purpose"}


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

    class Meta:
        table_name = "llm_usage"


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums over requests.

    Attributes:
      key: The day, model, user or purpose; None where the rows do not say.
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


#: What :class:`Spent` sums, in the order of its attributes, without requests and those of no price.
_SUMMED: Final = {
    "tokens_in": "tokens_in",
    "tokens_out": "tokens_out",
    "micro_dollars": "cost",
    "tokens_cached": "tokens_cached",
    "tokens_reasoning": "tokens_reasoning",
}


def spent(database: Database, *, by: GroupBy, since: date | None = None, until: date | None = None) -> Sequence[Spent]:
    """Return what was spent, the greatest first (days in order).

    Parameters:
      by: What to sum by.
      since: First day, in the zone of the ledger.
      until: Last day.

    Raises:
      Deferred: The database is away.
    """
    row, key = LlmUsage, getattr(LlmUsage, _COLUMN[by])
    sums = [peewee.fn.COALESCE(peewee.fn.SUM(getattr(row, _SUMMED[name])), 0).alias(name) for name in _SUMMED]
    unpriced = peewee.fn.SUM(peewee.Case(None, [(row.cost.is_null(), 1)], 0)).alias("unpriced")
    query = row.select(key.alias("key"), peewee.fn.COUNT(row.id).alias("requests"), unpriced, *sums).group_by(key)
    if since is not None:
        query = query.where(row.day >= since.isoformat())
    if until is not None:
        query = query.where(row.day <= until.isoformat())
    numbers = ("requests", "unpriced", *_SUMMED)
    found = [Spent(key=one["key"], **{name: int(one[name]) for name in numbers}) for one in database.rows(query)]
    # Sorted here: where rows without a key come, and how text is ordered, differs between databases.
    return sorted(found, key=lambda each: (0 if by == "day" else -each.micro_dollars, each.key or ""))
