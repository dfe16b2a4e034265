"""What the stand-ins for kinds of model servers are made of."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("openai_server", Path(__file__).parents[1] / "openai_server.py")
assert _spec is not None
assert _spec.loader is not None
if "openai_server" in sys.modules:
    openai_server = sys.modules["openai_server"]
else:
    openai_server = importlib.util.module_from_spec(_spec)
    sys.modules["openai_server"] = openai_server
    _spec.loader.exec_module(openai_server)

Reply = openai_server.Reply

#: Fields that every server takes.
BASE = frozenset({"model", "messages", "stream", "temperature", "top_p", "stop", "seed"})


@dataclass(frozen=True)
class Event:
    """Something that a server says instead of an answer, and what it must become.

    ``means`` is ``wait`` (with seconds), ``refused``, ``unusable``, ``failed`` or the code of a permanent error.
    """

    reply: Any
    means: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Kind:
    """One kind of server.

    Attributes:
      name: As in ``model_catalog.json``.
      takes: Fields that it takes besides the usual ones; others it refuses, or ignores where ``ignores`` says so.
      refuse: Returns the refusal of some fields, in its form.
      look: Further refusals, by the body; None: it is well.
      answer: Wraps an answer.
      events: What else it says.
      prefix: Of its paths.
    """

    name: str
    takes: frozenset[str]
    refuse: Callable[[list[str]], Any]
    look: Callable[[dict[str, Any], Callable[[list[str]], Any]], Any] = lambda body, refuse: None
    answer: Callable[[Any, str], Any] = lambda asked, content: openai_server.completion(asked, content)
    events: dict[str, Event] = field(default_factory=dict)
    prefix: str = "/v1"
    ignores: bool = False
    learns: tuple[str, ...] = ()


def said(status: int, document: Any, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(document).encode(), named)


def openai_error(status: int, message: str, code: str | None = None, **more: Any) -> Any:
    headers = more.pop("headers", {})
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code} | more
    return said(status, {"error": error}, **headers)


def wrapped(asked: Any, **message: Any) -> Any:
    """A completion whose message has other members."""
    reply = openai_server.completion(asked, message.get("content"))
    document = json.loads(reply.body)
    document["choices"][0]["message"] |= message
    document |= message.pop("document", {})
    reply.body = json.dumps(document).encode()
    return reply


def efforts(known: tuple[str, ...], reply: Callable[[str], Any]) -> Callable[[dict[str, Any], Any], Any]:
    def look(body: dict[str, Any], refuse: Any) -> Any:
        effort = body.get("reasoning_effort")
        return reply(effort) if effort is not None and effort not in known else None

    return look


def url_of(part: dict[str, Any]) -> str:
    image = part["image_url"]
    return str(image if isinstance(image, str) else image["url"])


OPENAI_FIELDS = BASE | {
    "store",
    "max_completion_tokens",
    "max_tokens",
    "reasoning_effort",
    "response_format",
    "service_tier",
}

#: How OpenAI and Groq say that a limit was reached.
TPM = "Rate limit reached for model `m` in organization `org_01hrsvc1b8ey0anvbgha0xckf2` on tokens per minute (TPM): "
