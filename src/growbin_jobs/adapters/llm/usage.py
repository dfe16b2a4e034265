"""Reads what a model server says that a request took: tokens, the model that answered, the price tier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from growbin_jobs.adapters.llm.documents import completion_in, decoded, parsed

#: Tokens that a request and its answer may be said to have: ten times what any model takes. More is a fault of the
#: server, and no count: it would spend the budget of all, and the sums of the day could not hold the next one.
MOST_TOKENS: Final = 100_000_000

Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the server counted them.

    Attributes:
      prompt: Tokens of the request, the picture included.
      cached: Of those, the ones read from the server's prompt cache.
      completion: Tokens of the answer, reasoning included.
      reasoning: Of those, the ones spent on reasoning.
      cache_written: Of the request's, the ones written to the server's prompt cache, which some servers bill higher.
    """

    prompt: int
    cached: int
    completion: int
    reasoning: int
    cache_written: int = 0


class Bill(NamedTuple):
    """What a response says of its price: tokens, the model that answered, the price tier; None where it does not."""

    usage: Usage | None
    model: str | None
    service_tier: str | None


def read_bill(body: bytes) -> Bill:
    """Read what the body of a 200 says of its price, whether or not its answer can be used."""
    wire = parsed(_Billed, completion_in(decoded(body, {})))
    if wire is None:
        return Bill(None, None, None)
    model, tier = (value if isinstance(value, str) else None for value in (wire.model, wire.service_tier))
    return Bill(read_usage(wire.usage), model, tier)


def read_usage(value: object) -> Usage | None:
    """Return the counts of a response; None where they cannot be read."""
    # An odd count is no reason to throw away an answer that has been paid for.
    if isinstance(value, Mapping) and "prompt_tokens" not in value and "input_tokens" in value:
        value = {"prompt_tokens": value["input_tokens"], "completion_tokens": value.get("output_tokens")}
    if isinstance(value, Mapping) and value.get("completion_tokens") is None:
        # Some servers count what was said to the model and all, and leave the difference to the reader.
        both = (value.get("total_tokens"), value.get("prompt_tokens"))
        if all(isinstance(count, int) for count in both):
            value = {**value, "completion_tokens": both[0] - both[1]}  # type: ignore[operator]
    try:
        wire = _Usage.model_validate(value)
    except ValidationError:
        return None
    before, after = wire.prompt_tokens_details, wire.completion_tokens_details
    reasoning = (after and after.reasoning_tokens) or 0
    return Usage(
        prompt=wire.prompt_tokens,
        cached=(before and before.cached_tokens) or wire.prompt_cache_hit_tokens or wire.cached_tokens or 0,
        completion=_completion(wire, reasoning),
        reasoning=reasoning,
        cache_written=(before and before.cache_write_tokens) or 0,
    )


def _completion(wire: "_Usage", reasoning: int) -> int:
    """Return the tokens of an answer with its thoughts, which are billed alike.

    xAI and Gemini count the thoughts beside the answer: they are in the total only (UKGovernmentBEIS/inspect_ai#5528,
    mozilla-ai/any-llm#1291).
    """
    said = wire.completion_tokens + (reasoning if reasoning > wire.completion_tokens else 0)
    return min(max(said, (wire.total_tokens or 0) - wire.prompt_tokens), MOST_TOKENS)


class _Billed(BaseModel):
    model: Any = None
    usage: Any = None
    service_tier: Any = None


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> object:
    try:
        return read(value)
    except ValidationError:
        return None


#: Odd details do not cost the counts beside them.
_OrNone = WrapValidator(_or_none)


class _PromptDetails(BaseModel):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _CompletionDetails(BaseModel):
    reasoning_tokens: Count | None = None


class _Usage(BaseModel):
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Annotated[Count | None, _OrNone] = None
    prompt_cache_hit_tokens: Annotated[Count | None, _OrNone] = None  # DeepSeek's
    cached_tokens: Annotated[Count | None, _OrNone] = None  # Moonshot's
    prompt_tokens_details: Annotated[_PromptDetails | None, _OrNone] = None
    completion_tokens_details: Annotated[_CompletionDetails | None, _OrNone] = None
