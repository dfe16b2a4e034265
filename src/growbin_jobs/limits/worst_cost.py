"""Tells the most that a request can cost, by its price and by what the requests before it have shown."""

import math
import threading
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.estimate import TokenRatio
from growbin_jobs.adapters.llm.guards import PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.limits.prices import Prices

#: By how much a request may need more tokens than estimated. What it needs beyond is booked when it is settled.
MARGIN: Final = 1.25


class WorstCost:
    """Learns, by model, how far estimates of tokens are off and in which tier its server answers.

    Parameters:
      prices: What requests can cost.
      zone: Of the days that prices hold from.
    """

    def __init__(self, prices: Prices, *, zone: ZoneInfo) -> None:
        self._prices = prices
        self._zone = zone
        self._lock = threading.Lock()
        self._ratios: dict[str, TokenRatio] = {}
        self._served_tiers: dict[str, str] = {}

    def of(self, request: PlannedRequest) -> int | None:
        """Return the most that a request can cost in micro-dollars, as far as is known; None without a price."""
        tokens = max(request.input_tokens, self._ratio(request.model).corrected(request.input_tokens))
        return self._prices.most(
            request.model,
            math.ceil(tokens * MARGIN),
            request.max_tokens,
            datetime.now(self._zone).date(),
            tiers=(request.service_tier, self._served_tiers.get(request.model)),
        )

    def learn(self, request: PlannedRequest, record: ModelRequest) -> None:
        """Learn from what a request has taken."""
        if record.usage is not None:
            self._ratio(request.model).learn(request.input_tokens, record.usage.prompt)
        if record.service_tier:
            self._served_tiers[request.model] = record.service_tier

    def _ratio(self, model: str) -> TokenRatio:
        with self._lock:
            return self._ratios.setdefault(model, TokenRatio())
