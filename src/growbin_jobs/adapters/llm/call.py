"""How a model is asked."""

from dataclasses import dataclass
from typing import Any

from growbin_jobs.model_catalog import Tier

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """How to ask.

    Attributes:
      model: Its name on the server.
      timeout: Seconds for the whole call, repairs included.
      max_tokens: Most tokens of the answer, reasoning included.
      temperature: None: not sent; reasoning models refuse it.
      reasoning_effort: None: not sent; models that do not reason refuse it.
      purpose: What the answer is for, for the meter.
      service_tier: Price tier to ask for; None: the server's default.
      successors: How to ask instead where the server does not offer the model, the first of them first.
    """

    model: str
    timeout: float
    max_tokens: int
    temperature: float | None = None
    reasoning_effort: str | None = None
    purpose: str = "other"
    service_tier: Tier | None = None
    successors: tuple["Call", ...] = ()
