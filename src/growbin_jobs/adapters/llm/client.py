"""Calls of a language model over OpenAI's Chat Completions, and nothing that knows about waste."""

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import BaseModel, ValidationError

from growbin_jobs.adapters.llm.errors import from_exception, unusable
from growbin_jobs.adapters.llm.reply import Completion, Reply, read_models, read_reply
from growbin_jobs.errors import ConfigurationError, Permanent
from growbin_jobs.process import once_a_process

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai._legacy_response import LegacyAPIResponse

OPENAI_URL = "https://api.openai.com/v1"

#: By how much the cap on tokens is raised for a model that was cut off.
CAP_RAISE = 4

#: HTTP connections that a process opens at most; threads of a worker are fewer.
MAX_CONNECTIONS = 200

log = logging.getLogger(__name__)

Message = dict[str, Any]
Schema = TypeVar("Schema", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """How to ask.

    Attributes:
      model: Its name on the server.
      timeout: Seconds for the whole call, repairs included.
      max_tokens: Most tokens of the answer, reasoning included.
      temperature: None: not sent; reasoning models refuse it.
      reasoning_effort: None: not sent; models that do not reason refuse it.
    """

    model: str
    timeout: float
    max_tokens: int
    temperature: float | None = None
    reasoning_effort: str | None = None


class ModelClient:
    """Asks a model server. One object serves all threads or greenlets, and survives a fork.

    The HTTP client is built at the first call of each process: processes that share one's sockets read each other's
    answers. It never retries; whether and when to try again is the queue's business, which counts what is paid for.

    Parameters:
      api_key: Sent as a bearer token. A server of your own may need none.
      base_url: Address of the server, with ``/v1`` where it has that. None: OpenAI.
      connect_timeout: Seconds to connect, within the call's own timeout.

    Raises:
      ConfigurationError: With neither a key nor an address, or with one that cannot be sent.
    """

    def __init__(self, *, api_key: str | None, base_url: str | None = None, connect_timeout: float = 5.0) -> None:
        key = (api_key or "").strip()  # a key from a file ends in a newline
        if not key and not base_url:
            raise ConfigurationError(
                "No model server: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own."
            )
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError("OPENAI_API_KEY contains characters that no key has. Copy it again.")
        self._key = key
        self._url = _checked_url(base_url or OPENAI_URL)
        self._connect_timeout = connect_timeout
        self._http = once_a_process(self._connect)
        self._without_schemas: set[str] = set()
        self._raised_caps: set[tuple[str, int]] = set()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def ask(
        self, call: Call, messages: Sequence[Message], schema: type[Schema], *, in_words: str
    ) -> Completion[Schema]:
        """Return the model's answer in the form of a schema.

        Asks for strict structured output. A server that does not know it (it answers 400 or 422) is asked for a JSON
        object instead, and that is remembered. The answer is validated here in either case: servers exist that accept
        a schema and do not keep to it.

        Parameters:
          call: Which model and how.
          messages: In the form of the API.
          schema: Forbids extra fields and has no defaults, as strict structured output demands.
          in_words: The schema as a prompt, for servers that take none. It must say "JSON" (OpenAI insists).

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        with self._deadline(call.timeout):
            if call.model not in self._without_schemas:
                try:
                    return _validated(self._complete(call, messages, _strict(schema)), call, schema)
                except _SchemaNotSupported:
                    log.warning("model server takes no JSON schema: model=%s, asking for a JSON object", call.model)
                    self._without_schemas.add(call.model)
            told = [*messages, {"role": "system", "content": in_words}]
            return _validated(self._complete(call, told, {"type": "json_object"}), call, schema)

    def ask_text(self, call: Call, messages: Sequence[Message]) -> Completion[str]:
        """Return the model's answer as text, stripped and not empty.

        Parameters:
          call: Which model and how.
          messages: In the form of the API.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        with self._deadline(call.timeout):
            reply = self._complete(call, messages, None)
        return Completion(reply.content, reply.model or call.model, reply.usage, reply.request_id)

    def models(self, *, timeout: float = 10.0) -> dict[str, date | None]:
        """Return the models that the server offers, each with the announced day of its end (None: not announced).

        Parameters:
          timeout: Seconds for the whole call.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        with self._deadline(timeout):
            raw = self._send(lambda http: http.models.with_raw_response.list(timeout=self._timeouts(timeout)))
        return read_models(raw.http_response.content)

    def warm_up(self) -> None:
        """Load the SDK and build this process's HTTP client (1–2 s), so that the first call need not."""
        self._http()

    def _complete(self, call: Call, messages: Sequence[Message], response_format: Message | None) -> Reply:
        """One answer; a second call with a higher cap where the first was cut off. The cap stays raised."""
        raised = (call.model, call.max_tokens) in self._raised_caps
        reply = self._post(call, messages, response_format, call.max_tokens * (CAP_RAISE if raised else 1))
        if reply.cut_off and not raised:
            log.warning("answer cut off, raising the cap: model=%s max_tokens=%d", call.model, call.max_tokens)
            self._raised_caps.add((call.model, call.max_tokens))
            reply = self._post(call, messages, response_format, call.max_tokens * CAP_RAISE)
        if reply.cut_off:
            raise unusable(f"it was cut off at {call.max_tokens * CAP_RAISE} tokens")
        return reply

    def _post(self, call: Call, messages: Sequence[Message], response_format: Message | None, cap: int) -> Reply:
        body: dict[str, Any] = {
            "model": call.model,
            "messages": list(messages),
            "max_completion_tokens": cap,
            "store": False,
        }
        if response_format is not None:
            body["response_format"] = response_format
        if call.temperature is not None:
            body["temperature"] = call.temperature
        if call.reasoning_effort is not None:
            body["reasoning_effort"] = call.reasoning_effort
        timeouts = self._timeouts(call.timeout)
        raw = self._send(lambda http: http.chat.completions.with_raw_response.create(**body, timeout=timeouts))
        reply = read_reply(raw.http_response.content, raw.headers, secret=self._key)
        log.info("model answered: model=%s request=%s usage=%s", call.model, reply.request_id, reply.usage)
        return reply

    def _send(self, request: Callable[["openai.OpenAI"], "LegacyAPIResponse[Any]"]) -> "LegacyAPIResponse[Any]":
        http = self._http()
        import httpx2
        import openai

        try:
            return request(http)
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            failure = from_exception(error, secret=self._key)
            if isinstance(error, openai.APIStatusError) and isinstance(failure, Permanent) and _refuses_schemas(error):
                failure = _SchemaNotSupported(failure.code, **failure.params)
        # Out here, so that our error does not hold on to the SDK's as its context: that has the request and the key.
        raise failure

    def _deadline(self, seconds: float) -> AbstractContextManager[None]:
        self._http()  # loading the SDK is not the server's time
        from growbin_jobs.adapters.llm.deadline import deadline

        return deadline(seconds)

    def _timeouts(self, seconds: float) -> "httpx2.Timeout":
        import httpx2

        first = min(self._connect_timeout, seconds)
        return httpx2.Timeout(seconds, connect=first, pool=first)

    def _connect(self) -> "openai.OpenAI":
        # Imported here: 1.2 s and 45 MB that a producer, and a worker with offline models, never need.
        import httpx2
        import openai

        from growbin_jobs.adapters.llm.deadline import DeadlineTransport

        limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        transport = DeadlineTransport(limits=limits, proxy=_proxy_for(self._url))
        client = openai.OpenAI(
            api_key=self._key or "none",
            base_url=self._url,
            max_retries=0,
            # No redirects: the picture goes to the configured server and nowhere else.
            http_client=httpx2.Client(transport=transport, follow_redirects=False),
        )
        _ = client.chat.completions  # the SDK loads its parts when they are first touched, which takes 0.1 s more
        return client


def _checked_url(url: str) -> str:
    try:
        address = urlsplit(url.strip())
        usable = address.scheme in ("http", "https") and address.hostname and address.username is None
        _ = address.port  # raises where it is none
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("OPENAI_BASE_URL must look like https://host/v1, without a user or a password.")
    return address.geturl()


class _SchemaNotSupported(Permanent):
    """The server does not know structured output."""


def _strict(schema: type[BaseModel]) -> Message:
    return {
        "type": "json_schema",
        "json_schema": {"name": schema.__name__, "strict": True, "schema": schema.model_json_schema()},
    }


def _refuses_schemas(error: "openai.APIStatusError") -> bool:
    """Servers word this differently, yet all name what they do not know."""
    return error.status_code in (400, 422) and bool(
        re.search(r"response[_ ]?format|json[_ ]?schema|structured[_ ]?output", str(error.body), re.IGNORECASE)
    )


def _validated(reply: Reply, call: Call, schema: type[Schema]) -> Completion[Schema]:
    try:
        answer = schema.model_validate_json(reply.content)
    except ValidationError as error:
        problems = sorted({f"{_field(part['loc'], schema)}{part['type']}" for part in error.errors()})
    else:
        return Completion(answer, reply.model or call.model, reply.usage, reply.request_id)
    raise unusable(", ".join(problems))


def _field(location: tuple[int | str, ...], schema: type[BaseModel]) -> str:
    # Only our own names: those of extra fields come from the answer.
    return f"{location[0]} " if location and location[0] in schema.model_fields else ""


def _proxy_for(url: str) -> str | None:
    """The proxy of the environment (HTTPS_PROXY, NO_PROXY), which httpx2 does not look up for a transport of ours."""
    address = urlsplit(url)
    return None if proxy_bypass(address.netloc) else getproxies().get(address.scheme)
