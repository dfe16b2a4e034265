"""Reads the answer of a model server, in each of the forms that servers give it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, Field, ValidationError

from growbin_jobs.adapters.llm.errors import from_response, unusable
from growbin_jobs.adapters.llm.wrapping import unwrapped
from growbin_jobs.errors import Permanent

Answer = TypeVar("Answer")
Wire = TypeVar("Wire", bound=BaseModel)


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


@dataclass(frozen=True, slots=True)
class Completion(Generic[Answer]):
    """An answer and what it took.

    Attributes:
      answer: Validated.
      model: Which model says it answered; the one asked for, where the server does not say.
      usage: None where the server does not count.
      request_id: For OpenAI's support and logs; None where the server gives none.
    """

    answer: Answer
    model: str
    usage: Usage | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered, not yet validated.

    Attributes:
      content: The answer's text; may be empty only when it was cut off.
      cut_off: True when the cap on tokens ended it (reasoning counts too, so that nothing may be left for the answer).
    """

    content: str
    cut_off: bool
    model: str | None
    usage: Usage | None
    request_id: str | None


def read_reply(body: bytes, headers: Mapping[str, str], *, secret: str | None = None) -> Reply:
    """Read the body of a 200.

    Parameters:
      body: As it came: JSON if all is well, an HTML page of some proxy if not.
      headers: Of the response.
      secret: The key, which must not be quoted even if the server echoes it.

    Raises:
      Permanent: The model refused, or the body is an error that is permanent.
      Transient: The body is no chat completion, or the answer is empty.
      Deferred: The body is a rate limit error (some gateways send that as 200).
    """
    wire = _parse(_Completion, body)
    if wire is None:
        raise unusable("it is not a chat completion")
    if wire.error is not None:
        raise from_response(_status_in(wire.error), {"error": wire.error}, headers, secret=secret)
    if not wire.choices:
        raise unusable("it holds no choice")
    choice = wire.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        raise Permanent("model_refused")
    content = unwrapped(choice.message.content)
    cut_off = choice.finish_reason == "length"
    if not content and not cut_off:
        raise unusable("it is empty")
    return Reply(content, cut_off, wire.model, _usage(wire.usage), headers.get("x-request-id"))


class Bill(NamedTuple):
    """What a response says of its price: tokens, the model that answered, the price tier; None where it does not."""

    usage: Usage | None
    model: str | None
    service_tier: str | None


def read_bill(body: bytes) -> Bill:
    """Read what the body of a 200 says of its price, whether or not its answer can be used."""
    wire = _parse(_Billed, body)
    if wire is None:
        return Bill(None, None, None)
    model, tier = (value if isinstance(value, str) else None for value in (wire.model, wire.service_tier))
    return Bill(_usage(wire.usage), model, tier)


def read_models(body: bytes) -> dict[str, date | None]:
    """Read the body of ``GET /v1/models``: the offered models, each with the announced day of its end.

    Raises:
      Transient: The body is no list of models.
    """
    wire = _parse(_Models, body)
    if wire is None:
        raise unusable("it is not a list of models")
    return {model.id: _day(model.shutdown_date) for model in wire.data}


class _Message(BaseModel):
    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


class _Billed(BaseModel):
    model: Any = None
    usage: Any = None
    service_tier: Any = None


class _Model(BaseModel):
    id: str
    shutdown_date: str | None = None


class _Models(BaseModel):
    data: list[_Model]


Count = Annotated[int, Field(ge=0)]


class _PromptDetails(BaseModel):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _CompletionDetails(BaseModel):
    reasoning_tokens: Count | None = None


class _Usage(BaseModel):
    prompt_tokens: Count
    completion_tokens: Count
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


def _parse(form: type[Wire], body: bytes) -> Wire | None:
    # None and no exception: pydantic's holds the body, and would come along as the context of ours.
    try:
        return form.model_validate_json(body)
    except ValidationError:
        return None


def _day(value: str | None) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if value else None
    except ValueError:
        return None


def _usage(value: object) -> Usage | None:
    # An odd count is no reason to throw away an answer that has been paid for.
    try:
        wire = _Usage.model_validate(value)
    except ValidationError:
        return None
    before, after = wire.prompt_tokens_details, wire.completion_tokens_details
    return Usage(
        prompt=wire.prompt_tokens,
        cached=(before and before.cached_tokens) or 0,
        completion=wire.completion_tokens,
        reasoning=(after and after.reasoning_tokens) or 0,
        cache_written=(before and before.cache_write_tokens) or 0,
    )


def _status_in(error: object) -> int:
    """Return the HTTP status that an error in a 200 should have had; 502 (upstream failed) if it does not say."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if code in ("rate_limit_exceeded", "rate_limit_error"):
        return 429
    text = str(code)
    return int(text) if text.isdecimal() and 400 <= int(text) <= 599 else 502
