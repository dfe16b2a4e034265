"""How a model is asked, and the body of the request."""

from collections.abc import Sequence
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


def body_of(
    call: Call, messages: Sequence[Message], response_format: Message | None, cap: int, tier: Tier | None
) -> dict[str, Any]:
    """Return the body of a request.

    Parameters:
      call: Which model and how.
      messages: In the form of the API.
      response_format: What form the answer must have; None: any.
      cap: Most tokens of the answer.
      tier: Price tier; None: the server's default.
    """
    body: dict[str, Any] = {
        "model": call.model,
        "messages": list(messages),
        "max_completion_tokens": cap,
        "store": False,
    }
    optional = {
        "response_format": response_format,
        "temperature": call.temperature,
        "reasoning_effort": call.reasoning_effort,
        "service_tier": tier,
    }
    return body | {name: value for name, value in optional.items() if value is not None}
