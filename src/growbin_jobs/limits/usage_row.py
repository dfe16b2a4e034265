"""A model request as a row of ``llm_usage``."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.limits.prices import Cost, Prices


def usage_row(request: ModelRequest, prices: Prices, *, node: str, zone: ZoneInfo) -> dict[str, Any]:
    """Return the row of a request that has ended.

    Parameters:
      request: The request.
      prices: What it cost, on the day when it was sent; never priced again.
      node: This node's name.
      zone: Of the days that money is counted by.
    """
    sent, usage, target = datetime.fromtimestamp(request.sent_at, UTC), request.usage, request.attribution
    day = sent.astimezone(zone).date()
    cost = cost_of(request, prices, day)
    return {
        "id": request.id,
        "sent_at": sent,
        "day": day.isoformat(),
        "node": node,
        "purpose": request.purpose,
        "analysis_id": target.analysis_id,
        "user_id": target.user_id,
        "message_id": target.message_id,
        "attempt": target.attempt,
        "question": target.question,
        "model": request.model,
        "served_model": request.served_model,
        "tier_asked": request.asked_tier,
        "tier_served": request.service_tier,
        "outcome": request.outcome,
        "billed": request.billed,
        "status": request.status,
        "request_id": request.request_id,
        "latency_ms": round(request.latency * 1000),
        "first_byte_ms": None if request.first_byte is None else round(request.first_byte * 1000),
        "tokens_in": usage and _count(usage.prompt),
        "tokens_cached": usage and _count(usage.cached),
        "tokens_cache_written": usage and _count(usage.cache_written),
        "tokens_reasoning": usage and _count(usage.reasoning),
        "tokens_out": usage and _count(usage.completion),
        "cost": None if cost is None else _count(cost.micro_dollars),
        "price_version": cost.version if cost else None,
    }


def cost_of(request: ModelRequest, prices: Prices, day: date) -> Cost | None:
    """Return what a request that has ended cost; None where nobody knows.

    Not billed is zero. Billed, or perhaps billed, without tokens is not known, nor is what has no price.

    Parameters:
      request: The request.
      prices: By the model that answered, else by the one that was asked; the tier is the one that the response names.
      day: On which it was sent.
    """
    if request.billed == "no":
        return Cost(0, None)
    if request.usage is None:
        return None
    for model in (request.served_model, request.model):
        cost = model and prices.cost(model, request.usage, day, tier=request.service_tier)
        if cost:
            return cost
    return None


def _count(value: int) -> int:
    """What a BIGINT holds of a server's count; a larger one is nonsense, and must not cost its row."""
    return min(value, 2**62)
