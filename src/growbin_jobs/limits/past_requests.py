"""What requests took in the past, for reckoning with those of the future."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.usage import LlmUsage, is_by_itself

#: Days of the past that say what a request takes.
_DAYS: Final = 7

#: What a request takes where nothing was sent yet: seconds and tokens of the two stages, as the specification has them.
_ASSUMED: Final = {"vision": (30.0, 3000), "text": (10.0, 1500)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one picture needs of one purpose.

    Attributes:
      purpose: ``vision`` or ``text``.
      requests: HTTP requests of the past that the figures come from; 0: they are assumed.
      seconds: From sending to the answer.
      tokens: In and out.
      micro_dollars: Of one request; None: not known.
    """

    purpose: str
    requests: int
    seconds: float
    tokens: int
    micro_dollars: int | None


def needs_of_the_past(database: Database, now: datetime | None = None) -> list[Need]:
    """Return what requests took in the last days, or what is assumed where none were sent.

    Raises:
      Deferred: The database is away.
    """
    row, since = LlmUsage, (now or datetime.now(UTC)) - timedelta(days=_DAYS)
    query = (
        row.select(
            row.purpose.alias("purpose"),
            peewee.fn.COUNT(row.id).alias("requests"),
            peewee.fn.AVG(row.latency_ms).alias("latency"),
            peewee.fn.AVG(row.tokens_in + row.tokens_out).alias("tokens"),
            peewee.fn.AVG(row.cost).alias("cost"),
        )
        .where((row.outcome == "answered") & (row.sent_at >= since) & row.purpose.in_(list(_ASSUMED)) & is_by_itself())
        .group_by(row.purpose)
    )
    found = {one["purpose"]: one for one in database.rows(query)}
    return [_need(purpose, found.get(purpose)) for purpose in _ASSUMED]


def _need(purpose: str, row: dict[str, object] | None) -> Need:
    seconds, tokens = _ASSUMED[purpose]
    if row is None:
        return Need(purpose=purpose, requests=0, seconds=seconds, tokens=tokens, micro_dollars=None)
    cost = row["cost"]
    return Need(
        purpose=purpose,
        requests=int(str(row["requests"])),
        seconds=round(float(str(row["latency"])) / 1000, 3),
        tokens=tokens if row["tokens"] is None else math.ceil(float(str(row["tokens"]))),
        micro_dollars=None if cost is None else math.ceil(float(str(cost))),
    )
