"""Reads the answer of a model server, in each of the forms that servers give it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel

from growbin_jobs.adapters.llm.documents import completion_in, decoded, error_in, parsed, status_in
from growbin_jobs.adapters.llm.errors import from_response, unusable
from growbin_jobs.adapters.llm.said import is_page
from growbin_jobs.adapters.llm.usage import Usage, read_usage
from growbin_jobs.adapters.llm.wrapping import unwrapped
from growbin_jobs.errors import Permanent, Transient

Answer = TypeVar("Answer")

#: How the reasons begin for which a model stopped, in lower case: OpenAI's, Gemini's, Mistral's, those of gateways.
_CUT_OFF: Final = ("length", "max_tokens", "max_output_tokens", "model_length", "max_completion_tokens")
_FILTERED: Final = (
    "content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited", "spii", "sensitive", "guardrail",
    "image_safety", "image_prohibited", "image_recitation",
)  # fmt: skip
_FAILED: Final = ("error", "insufficient_system_resource", "network_error", "abort", "server_error")


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
    document = completion_in(decoded(body, headers))
    if (wrong := error_in(document)) is not None:
        raise from_response(status_in(wrong), wrong, headers, secret=secret, model=model, sent=sent)
    wire = parsed(_Completion, document)
    if wire is None and is_page(document):  # of a proxy: no model has answered
        raise from_response(502, document, headers, secret=secret, model=model, sent=sent)
    if wire is None:
        raise unusable("it is not a chat completion")
    if not wire.choices:
        raise unusable("it holds no choice")
    choice = min(wire.choices, key=lambda each: each.index if isinstance(each.index, int) else 0)
    if isinstance(choice.error, Mapping) and choice.error:  # a gateway's upstream failed (OpenRouter)
        wrong = {"error": choice.error}
        raise from_response(status_in(wrong), wrong, headers, secret=secret, model=model, sent=sent)
    # A filter of Gemini's leaves no message; some gateways answer as if they were asked for pieces, or for a text.
    message = choice.message or choice.delta or _Message(content=choice.text)
    finish = str(choice.finish_reason or "").casefold().replace("-", "_").removeprefix("finish_reason_")
    if message.refusal or _refuses(message.content) or finish.startswith(_FILTERED):
        raise Permanent("model_refused")
    if finish.startswith(_FAILED):
        raise Transient("The model's server failed while it answered.")
    cut_off = finish.startswith(_CUT_OFF)
    content = unwrapped(message.content)
    if not content or (structured and "{" not in content):  # words beside the call that is the answer
        content = _called(message.tool_calls or [{"function": message.function_call}]) or content
    if structured and not content:
        content = _object(message)
    thoughts = message.reasoning_content or message.reasoning or message.thinking
    reasoning = unwrapped(thoughts)
    if not content and isinstance(thoughts, str) and "</think>" in thoughts:
        content = reasoning  # a parser of thoughts that did not find their end
    if not content and not cut_off and not (structured and reasoning):
        raise unusable("it is empty")
    usage = read_usage(wire.usage)
    answered = wire.model if isinstance(wire.model, str) else None
    return Reply(content, cut_off, answered, usage, headers.get("x-request-id"), "" if content else reasoning)


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
    message: _Message | None = None
    delta: _Message | None = None
    text: Any = None
    finish_reason: Any = None
    error: Any = None
    index: Any = None


class _Completion(BaseModel):
    choices: list[_Choice] | None = None
    model: Any = None
    usage: Any = None


def _refuses(content: object) -> bool:
    return isinstance(content, list) and any(isinstance(part, dict) and part.get("refusal") for part in content)


def _object(message: _Message) -> str:
    """Return the object that a server has read already, as JSON: for the content, a part of it, or beside it."""
    part = message.content[0] if isinstance(message.content, list) and len(message.content) == 1 else message.content
    inner = part.get("json") if isinstance(part, dict) else None
    found = next((each for each in (inner, part, message.parsed) if isinstance(each, dict)), None)
    return json.dumps(found) if found and found.get("type") not in ("thinking", "reasoning") else ""


def _called(calls: object) -> str:
    """Return the arguments of the one tool that a model calls to give its answer; it may call it twice alike."""
    functions = (
        [call.get("function") if isinstance(call, dict) else None for call in calls] if isinstance(calls, list) else []
    )
    found = [function.get("arguments") if isinstance(function, dict) else None for function in functions]
    arguments = found[0] if found and all(each == found[0] for each in found) else None
    return unwrapped(arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else "")
