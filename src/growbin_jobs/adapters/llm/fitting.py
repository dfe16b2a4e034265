"""Fits a request to what its server takes: the body, and the features of it that a server may refuse.

=================================  ==================================================================
feature                            without it
=================================  ==================================================================
``store``                          not sent
``max_completion_tokens``          ``max_tokens``
``max_tokens``                     no cap on the answer
``reasoning_effort``               not sent
``temperature``                    not sent
``service_tier``                   not sent
``response_format.json_schema``    ``json_object``, with the schema in words
``response_format.json_object``    any text, with the schema in words
``strict``                         not sent inside the schema's format
``schema.KEYWORD``                 the schema without that keyword; ``const`` becomes ``enum``
``schema.heeded``                  the schema in words besides: the server takes it and does not keep to it
``image_url.detail``               not sent
``image_url.object``               the address as a string
``image_url.http``                 the picture inside the request
``role.system``                    the prompt at the beginning of the user's message
``cap.N``                          four times N: N tokens have cut an answer off
``batches``                        asked one by one: the server has no batches
=================================  ==================================================================
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.adapters.llm.call import Call, Message
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.model_catalog import Tier, nearest_effort

#: By how much the cap on tokens is raised for a model that was cut off.
CAP_RAISE: Final = 4

#: Feature of the server and not of a request: many of them in one file, answered within a day.
BATCHES: Final = "batches"

#: Keywords of JSON Schema that some servers do not know and an answer's form can do without: it is validated here too.
_DISPENSABLE: Final = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
    "format", "minItems", "maxItems", "uniqueItems", "additionalProperties", "title", "description", "default", "const",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """The form that an answer must have.

    Attributes:
      name: Of the schema.
      schema: JSON Schema; forbids extra fields and has no defaults, as strict structured output demands.
      in_words: The same as a prompt; it must say "JSON" (OpenAI insists).
    """

    name: str
    schema: Mapping[str, Any]
    in_words: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as we would send it to a server that takes everything.

    Attributes:
      call: Which model and how.
      messages: In the form of the API.
      form: Of the answer; None: text.
      inline: Makes a ``data:`` URL of the picture that the messages name by address; None: they name none.
    """

    call: Call
    messages: Sequence[Message]
    form: Form | None = None
    inline: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request as it is sent.

    Attributes:
      body: Of the HTTP request, without the price tier.
      used: Features of it that a server may refuse.
      cap: Most tokens of the answer.
    """

    body: dict[str, Any]
    used: frozenset[str]
    cap: int

    @property
    def texts(self) -> list[str]:
        """The texts of the request, which an error must not repeat."""
        contents = [message["content"] for message in self.body["messages"]]
        parts = [part for content in contents for part in ([content] if isinstance(content, str) else content)]
        return [part if isinstance(part, str) else str(part.get("text", "")) for part in parts]


def fitted(wish: Wish, facts: Facts, tier: Tier | None = None) -> Fitted:
    """Return a request without what its server is known to refuse.

    Parameters:
      wish: What is asked.
      facts: What is known of the server and the model.
      tier: Price tier; None: the server's default.
    """
    call, refused, used = wish.call, facts.refused.keys() - facts.allowed, set[str]()
    cap = call.max_tokens * (CAP_RAISE if f"cap.{call.max_tokens}" in refused else 1)
    cap = min(cap, facts.most_tokens or cap)
    form = _format(wish.form, refused, used)
    in_words = wish.form is not None and (form is None or "json_schema" not in form or "schema.heeded" in refused)
    words = wish.form.in_words if wish.form is not None and in_words else ""
    body: dict[str, Any] = {"model": call.model, "messages": list(_messages(wish, words, refused, used))}
    effort = call.reasoning_effort
    if effort is not None and facts.efforts is not None:
        effort = nearest_effort(effort, facts.efforts)
    cap_field = next((name for name in ("max_completion_tokens", "max_tokens") if name not in refused), None)
    optional: dict[str, Any] = {
        "store": False,
        "response_format": form,
        "temperature": call.temperature,
        "reasoning_effort": effort,
        "service_tier": tier,
    }
    if cap_field is not None:
        optional[cap_field] = cap
    for name, value in optional.items():
        if value is not None and name not in refused:
            body[name] = value
            used.add(name)
    return Fitted(body, frozenset(used - {"response_format"}), cap)


def _format(form: Form | None, refused: frozenset[str] | set[str], used: set[str]) -> dict[str, Any] | None:
    """Return the strictest form of an answer that the server takes."""
    if form is None or "response_format" in refused:
        return None
    if "response_format.json_schema" not in refused:
        used.add("response_format.json_schema")
        if "schema.heeded" not in refused:
            used.add("schema.heeded")
        schema, words = _FITTED_SCHEMAS.of(form.schema, frozenset(refused))
        used.update(words)
        wrapped: dict[str, Any] = {"name": form.name, "schema": schema}
        if "strict" not in refused:
            used.add("strict")
            wrapped["strict"] = True
        return {"type": "json_schema", "json_schema": wrapped}
    if "response_format.json_object" not in refused:
        used.add("response_format.json_object")
        return {"type": "json_object"}
    return None


class _FittedSchemas:
    """Remembers schemas without what is refused: a worker has two or three, and fits one to each request twice."""

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._known: dict[tuple[int, frozenset[str]], tuple[object, Mapping[str, Any], frozenset[str]]] = {}

    def of(self, schema: Mapping[str, Any], refused: frozenset[str]) -> tuple[Mapping[str, Any], frozenset[str]]:
        """Return the schema without it, and the features that it uses. Nobody changes either.

        Parameters:
          schema: Known by its identity: nobody changes it.
          refused: Features that the server refuses.
        """
        key = id(schema), refused
        known = self._known.get(key)
        if known is not None and known[0] is schema:  # kept alive here, so that no other one gets its id
            return known[1], known[2]
        plain = _plain(schema, refused)
        words = frozenset(f"schema.{word}" for word in _keywords(plain))
        if len(self._known) >= self._most:
            self._known = {}
        self._known[key] = schema, plain, words
        return plain, words


_FITTED_SCHEMAS: Final = _FittedSchemas()


def _plain(schema: Any, refused: frozenset[str] | set[str]) -> Any:
    if isinstance(schema, list):
        return [_plain(part, refused) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Any] = {}
    for name, value in schema.items():
        if name in ("properties", "$defs") and isinstance(value, Mapping):
            kept[name] = {inner: _plain(part, refused) for inner, part in value.items()}
        elif name == "const" and "schema.const" in refused:
            kept["enum"] = [value]
        elif f"schema.{name}" not in refused or name not in _DISPENSABLE:
            kept[name] = _plain(value, refused)
    return kept


def _keywords(schema: Any) -> Iterator[str]:
    """Yield the dispensable keywords that a schema uses."""
    if isinstance(schema, list):
        for part in schema:
            yield from _keywords(part)
    if not isinstance(schema, Mapping):
        return
    for name, value in schema.items():
        if name in ("properties", "$defs") and isinstance(value, Mapping):
            for part in value.values():
                yield from _keywords(part)
        else:
            if name in _DISPENSABLE:
                yield name
            yield from _keywords(value)


def _messages(wish: Wish, words: str, refused: frozenset[str] | set[str], used: set[str]) -> Iterator[Message]:
    """Yield the messages; the words join the system's first, because servers want that at the beginning or nowhere."""
    system = [str(message["content"]) for message in wish.messages if message["role"] == "system"]
    others = [message for message in wish.messages if message["role"] != "system"]
    instructions = "\n\n".join([*system, *([words] if words else [])])
    if instructions and "role.system" not in refused:
        used.add("role.system")
        yield {"role": "system", "content": instructions}
        instructions = ""
    for place, message in enumerate(others):
        content = message["content"]
        if isinstance(content, list):
            content = [_part(part, wish, refused, used) for part in content]
        if place == 0 and instructions:
            first = [{"type": "text", "text": instructions}]
            content = f"{instructions}\n\n{content}" if isinstance(content, str) else first + content
        yield {**message, "content": content}


def _part(part: Any, wish: Wish, refused: frozenset[str] | set[str], used: set[str]) -> Any:
    if not isinstance(part, Mapping) or part.get("type") != "image_url":
        return part
    image = dict(part["image_url"])
    if not image["url"].startswith("data:") and wish.inline is not None:
        if "image_url.http" in refused:
            image["url"] = wish.inline()
        else:
            used.add("image_url.http")
    if "image_url.object" in refused:
        return {"type": "image_url", "image_url": image["url"]}
    used.add("image_url.object")
    if "image_url.detail" in refused:
        image.pop("detail", None)
    elif "detail" in image:
        used.add("image_url.detail")
    return {"type": "image_url", "image_url": image}
