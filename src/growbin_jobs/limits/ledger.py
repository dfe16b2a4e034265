"""The meter that writes each HTTP request to a model server as a row of ``llm_usage``, priced once."""

import logging
import threading
import uuid
from collections import deque
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Deferred
from growbin_jobs.limits.prices import Prices
from growbin_jobs.limits.usage import LlmUsage

logger = logging.getLogger(__name__)

#: Rows that a process keeps in memory while the database is away; beyond, the oldest are dropped, and that is logged.
MOST_KEPT: Final = 10_000

#: Rows of one INSERT.
_BATCH: Final = 200


class UsageLedger:
    """A meter that writes each request to the central database.

    A row is written when its request has ended. While the database is away rows wait in this process's memory, and are
    written with the next one that succeeds; writing one twice is one row.

    Parameters:
      database: The central one.
      prices: What requests cost.
      node: This node's name.
      zone: Of the days that money is counted by.
    """

    def __init__(self, database: Database, prices: Prices, *, node: str, zone: ZoneInfo) -> None:
        self._database = database
        self._prices = prices
        self._node = node
        self._zone = zone
        self._lock = threading.Lock()
        self._waiting: deque[dict[str, Any]] = deque()

    @property
    def waiting(self) -> int:
        """Rows that are not in the database yet."""
        return len(self._waiting)

    def record(self, request: ModelRequest) -> None:
        """Write a request's row; see :class:`growbin_jobs.adapters.llm.meter.Meter`."""
        row = self._row(request)
        with self._lock:
            self._waiting.append(row)
            if len(self._waiting) > MOST_KEPT:
                lost = self._waiting.popleft()
                logger.error("usage.row_lost id=%s model=%s: the database is away", lost["id"], lost["model"])
        self.flush()

    def flush(self) -> None:
        """Write what waits; returns without an error while the database is away."""
        while batch := self._next():
            try:
                self._write(batch)
            except Deferred:
                self._keep(batch)
                return
            except Exception:
                # One row that can never be written must not cost the others.
                if not self._write_singly(batch):
                    return

    def _write_singly(self, batch: list[dict[str, Any]]) -> bool:
        for index, row in enumerate(batch):
            try:
                self._write([row])
            except Deferred:
                self._keep(batch[index:])
                return False
            except Exception as error:
                logger.error("usage.row_refused id=%s reason=%s", row["id"], type(error).__name__)  # noqa: TRY400
        return True

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(rows))
        logger.warning("usage.waits rows=%d", len(self._waiting))

    def _next(self) -> list[dict[str, Any]]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _write(self, rows: list[dict[str, Any]]) -> None:
        insert = LlmUsage.insert_many(rows).on_conflict_ignore()
        self._database.run(lambda connection: insert.execute(connection))

    def _row(self, request: ModelRequest) -> dict[str, Any]:
        sent, usage, target = datetime.fromtimestamp(request.sent_at, UTC), request.usage, request.attribution
        day = sent.astimezone(self._zone).date()
        cost, version = self._cost(request, day)
        return {
            "id": uuid.uuid4().hex,
            "sent_at": sent,
            "day": day.isoformat(),
            "node": self._node,
            "purpose": request.purpose,
            "analysis_id": target.analysis_id,
            "user_id": target.user_id,
            "message_id": target.message_id,
            "attempt": target.attempt,
            "model": request.model,
            "served_model": request.served_model,
            "tier_asked": None,
            "tier_served": request.service_tier,
            "outcome": request.outcome,
            "billed": request.billed,
            "status": request.status,
            "request_id": request.request_id,
            "latency_ms": round(request.latency * 1000),
            "first_byte_ms": None,
            "tokens_in": usage and _count(usage.prompt),
            "tokens_cached": usage and _count(usage.cached),
            "tokens_cache_written": usage and _count(usage.cache_written),
            "tokens_reasoning": usage and _count(usage.reasoning),
            "tokens_out": usage and _count(usage.completion),
            "cost": None if cost is None else _count(cost),
            "price_version": version,
        }

    def _cost(self, request: ModelRequest, day: date) -> tuple[int | None, str | None]:
        """Price it once. Not billed is zero; billed or perhaps billed without tokens is not known."""
        if request.billed == "no":
            return 0, None
        if request.usage is None:
            return None, None
        for model in (request.served_model, request.model):
            cost = model and self._prices.cost(model, request.usage, day, tier=request.service_tier)
            if cost:
                return cost.micro_dollars, cost.version
        return None, None


def _count(value: int) -> int:
    """What a BIGINT holds of a server's count; a larger one is nonsense, and must not cost its row."""
    return min(value, 2**62)
