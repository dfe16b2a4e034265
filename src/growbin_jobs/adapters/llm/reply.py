"""Reads the answer of a model server, in each of the forms that servers give it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from growbin_jobs.adapters.llm.documents import decoded, error_in, status_in
from growbin_jobs.adapters.llm.errors import from_response, unusable
from growbin_jobs.adapters.llm.wrapping import unwrapped
from growbin_jobs.errors import Permanent, Transient

Answer = TypeVar("Answer")
Wire = TypeVar("Wire", bound=BaseModel)

#: How the reasons begin for which a model stopped, in lower case: OpenAI's, Gemini's, Mistral's, those of gateways.
_CUT_OFF: Final = ("length", "max_tokens", "max_output_tokens", "model_length", "max_completion_tokens")
_FILTERED: Final = (
    "content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited", "spii", "image_safety", "sensitive",
)  # fmt: skip


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
      reasoning: What the server took for the model's thoughts. It is the answer where that is empty and a form was
        asked for: a parser of thoughts without an end takes everything (vllm-project/vllm#13125).
    """

    content: str
    cut_off: bool
    model: str | None
    usage: Usage | None
    request_id: str | None
    reasoning: str = ""


def read_reply(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secret: str | None = None,
    model: str | None = None,
    sent: Iterable[str] = (),
    structured: bool = False,
) -> Reply:
    """Read the body of a 200.

    Parameters:
      body: As it came: JSON if all is well, an HTML page of some proxy if not.
      headers: Of the response.
      secret, model, sent: See :func:`growbin_jobs.adapters.llm.errors.from_response`.
      structured: A form was asked for.

    Raises:
      Permanent: The model refused, or the body is an error that is permanent.
      Transient: The body is no chat completion, or the answer is empty.
      Deferred: The body is a rate limit error (some gateways send that as 200).
    """
    document = decoded(body, headers)
    if (wrong := error_in(document)) is not None:
        raise from_response(status_in(wrong), wrong, headers, secret=secret, model=model, sent=sent)
    wire = _parse(_Completion, document)
    if wire is None:
        raise unusable("it is not a chat completion")
    if not wire.choices:
        raise unusable("it holds no choice")
    choice = wire.choices[0]
    if isinstance(choice.error, Mapping) and choice.error:  # a gateway's upstream failed (OpenRouter)
        wrong = {"error": choice.error}
        raise from_response(status_in(wrong), wrong, headers, secret=secret, model=model, sent=sent)
    message, finish = choice.message, str(choice.finish_reason or "").casefold()
    if message.refusal or _refuses(message.content) or finish.startswith(_FILTERED):
        raise Permanent("model_refused")
    if finish.startswith("error"):
        raise Transient("The model's server failed while it answered.")
    cut_off = finish.startswith(_CUT_OFF)
    content = unwrapped(message.content) or _called(message.tool_calls or [{"function": message.function_call}])
    if structured and not content:
        content = _object(message)
    thoughts = message.reasoning_content or message.reasoning or message.thinking
    reasoning = unwrapped(thoughts)
    if not content and isinstance(thoughts, str) and "</think>" in thoughts:
        content = reasoning  # a parser of thoughts that did not find their end
    if not content and not cut_off and not (structured and reasoning):
        raise unusable("it is empty")
    usage = _usage(wire.usage)
    answered = wire.model if isinstance(wire.model, str) else None
    return Reply(content, cut_off, answered, usage, headers.get("x-request-id"), "" if content else reasoning)


class Bill(NamedTuple):
    """What a response says of its price: tokens, the model that answered, the price tier; None where it does not."""

    usage: Usage | None
    model: str | None
    service_tier: str | None


def read_bill(body: bytes) -> Bill:
    """Read what the body of a 200 says of its price, whether or not its answer can be used."""
    wire = _parse(_Billed, decoded(body, {}))
    if wire is None:
        return Bill(None, None, None)
    model, tier = (value if isinstance(value, str) else None for value in (wire.model, wire.service_tier))
    return Bill(_usage(wire.usage), model, tier)


def read_models(body: bytes) -> dict[str, date | None]:
    """Read the body of ``GET /v1/models``: the offered models, each with the announced day of its end.

    Raises:
      Transient: The body is no list of models.
    """
    wire = _parse(_Models, decoded(body, {}))
    if wire is None:
        raise Transient(
            "What answers is no model server: it gave no list of models. "
            "Check OPENAI_BASE_URL, which usually ends in /v1."
        )
    return {model.id.removeprefix("models/"): _day(model.shutdown_date) for model in wire.data or ()}


class _Message(BaseModel):
    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    parsed: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: Any = None
    error: Any = None


class _Completion(BaseModel):
    choices: list[_Choice] | None = None
    model: Any = None
    usage: Any = None


class _Billed(BaseModel):
    model: Any = None
    usage: Any = None
    service_tier: Any = None


class _Model(BaseModel):
    id: str = Field(validation_alias=AliasChoices("id", "name"))
    shutdown_date: Any = None


class _Models(BaseModel):
    data: list[_Model] | None = Field(validation_alias=AliasChoices("data", "models"))

    @model_validator(mode="before")
    @classmethod
    def _as_object(cls, value: object) -> object:
        return {"data": value} if isinstance(value, list) else value  # Together AI


#: Tokens that a request and its answer may be said to have: ten times what any model takes. More is a fault of the
#: server, and no count: it would spend the budget of all, and the sums of the day could not hold the next one.
MOST_TOKENS: Final = 100_000_000

Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]


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
    prompt_tokens_details: Annotated[_PromptDetails | None, _OrNone] = None
    completion_tokens_details: Annotated[_CompletionDetails | None, _OrNone] = None


def _parse(form: type[Wire], body: str) -> Wire | None:
    # None and no exception: pydantic's holds the body, and would come along as the context of ours.
    try:
        return form.model_validate_json(body)
    except ValidationError:
        return None


def _day(value: object) -> date | None:
    try:
        return datetime.fromisoformat(value).date() if isinstance(value, str) and value else None
    except ValueError:
        return None


def _usage(value: object) -> Usage | None:
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
    return Usage(
        prompt=wire.prompt_tokens,
        cached=(before and before.cached_tokens) or 0,
        completion=wire.completion_tokens,
        reasoning=(after and after.reasoning_tokens) or 0,
        cache_written=(before and before.cache_write_tokens) or 0,
    )


def _refuses(content: object) -> bool:
    return isinstance(content, list) and any(isinstance(part, dict) and part.get("refusal") for part in content)


def _object(message: _Message) -> str:
    """Return the object that a server has read already, as JSON: for the content, a part of it, or beside it."""
    part = message.content[0] if isinstance(message.content, list) and len(message.content) == 1 else message.content
    inner = part.get("json") if isinstance(part, dict) else None
    found = next((each for each in (inner, part, message.parsed) if isinstance(each, dict)), None)
    return json.dumps(found) if found and found.get("type") not in ("thinking", "reasoning") else ""


def _called(calls: object) -> str:
    """Return the arguments of the one tool that a model calls to give its answer."""
    if not isinstance(calls, list) or len(calls) != 1 or not isinstance(calls[0], dict):
        return ""
    function = calls[0].get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    return unwrapped(arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else "")
