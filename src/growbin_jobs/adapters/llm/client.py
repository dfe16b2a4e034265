"""Calls a language model over OpenAI's Chat Completions; knows nothing of waste."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from typing import TYPE_CHECKING

from growbin_jobs.adapters.llm.address import OPENAI_URL, checked_url
from growbin_jobs.adapters.llm.call import Call, Message, body_of
from growbin_jobs.adapters.llm.errors import from_exception, unusable
from growbin_jobs.adapters.llm.estimate import input_tokens
from growbin_jobs.adapters.llm.guards import Ending, Guard, PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import BEGAN, Meter, ModelRequest, NullMeter
from growbin_jobs.adapters.llm.recording import recorded
from growbin_jobs.adapters.llm.reply import Completion, Reply, read_bill, read_models, read_reply
from growbin_jobs.adapters.llm.structured import (
    Schema,
    SchemaNotSupported,
    refuses_schemas,
    strict_format,
    validated,
)
from growbin_jobs.adapters.llm.successors import first_offered
from growbin_jobs.adapters.llm.tiers import STANDARD, TierUnavailable, refused_tier
from growbin_jobs.adapters.llm.waiting import rate_headers
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import ConfigurationError, GrowbinError, Permanent
from growbin_jobs.model_catalog import Tier

if TYPE_CHECKING:
    import httpx2
    import openai

#: By how much the cap on tokens is raised for a model that was cut off.
CAP_RAISE = 4

logger = logging.getLogger(__name__)


class ModelClient:
    """Asks a model server. One object serves all threads or greenlets, and survives a fork.

    The HTTP client is built at the first call of each process: processes that share one's sockets read each other's
    answers. It never retries; whether and when to try again is the queue's business, which counts what is paid for.

    Parameters:
      api_key: Sent as a bearer token. A server of your own may need none.
      base_url: Address of the server, with ``/v1`` where it has that. None: OpenAI.
      meter: Gets a record of each HTTP request that asks for an answer.
      guards: Must all agree before such a request is sent, in this order.

    Raises:
      ConfigurationError: With neither a key nor an address, or with one that cannot be sent.
    """

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None = None,
        meter: Meter | None = None,
        guards: Sequence[Guard] = (),
    ) -> None:
        key = (api_key or "").strip()  # a key from a file ends in a newline
        if not key and not base_url:
            raise ConfigurationError(
                "No model server: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own."
            )
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError("OPENAI_API_KEY contains characters that no key has. Copy it again.")
        self._key = key
        self._url = checked_url(base_url or OPENAI_URL)
        self._meter = NullMeter() if meter is None else meter
        self._guards = tuple(guards)
        self._http = once_a_process(self._connect)
        self._without_schemas: set[str] = set()
        self._without_tier: set[tuple[str, str]] = set()
        self._raised_caps: set[tuple[str, int]] = set()

    @property
    def own_address(self) -> str | None:
        """Address of a server of your own, which names no user and no password; None for OpenAI."""
        return None if self._url == OPENAI_URL else self._url

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
        calls = (call, *call.successors)
        with self._deadline(call.timeout):
            return first_offered(
                [each.model for each in calls], lambda place: self._ask(calls[place], messages, schema, in_words)
            )

    def ask_text(self, call: Call, messages: Sequence[Message]) -> Completion[str]:
        """Return the model's answer as text, stripped and not empty.

        Parameters:
          call: Which model and how.
          messages: In the form of the API.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        calls = (call, *call.successors)
        with self._deadline(call.timeout):
            reply = first_offered(
                [each.model for each in calls], lambda place: self._complete(calls[place], messages, None)
            )
        return Completion(reply.content, reply.model or call.model, reply.usage, reply.request_id)

    def models(self, *, timeout: float = 10.0) -> dict[str, date | None]:
        """Return the models that the server offers, each with the announced day of its end (None: not announced).

        Parameters:
          timeout: Seconds for the whole call.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        with self._deadline(timeout):
            raw = self._send(timeout, lambda http: http.models.with_raw_response.list().http_response)
        return read_models(raw.content)

    def look_up(self, model: str, *, timeout: float = 10.0) -> None:
        """Ask the server for a model by name, which is free, and return if nothing speaks against asking it.

        Parameters:
          model: Its name on the server.
          timeout: Seconds for the whole call.

        Raises:
          Permanent: ``model_not_offered`` or ``model_access_denied``.
          Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        record = ModelRequest(model, "look_up")
        with self._deadline(timeout):
            try:
                self._send(timeout, lambda http: http.models.with_raw_response.retrieve(model).http_response, record)
            except Permanent as error:
                if error.code != "model_rejected_request":  # a server that has no such page says nothing by that
                    raise

    def warm_up(self) -> None:
        """Load the SDK and build this process's HTTP client (1–2 s), so that the first call need not."""
        self._http()

    def _ask(self, call: Call, messages: Sequence[Message], schema: type[Schema], in_words: str) -> Completion[Schema]:
        if call.model not in self._without_schemas:
            try:
                return validated(self._complete(call, messages, strict_format(schema)), call.model, schema)
            except SchemaNotSupported:
                logger.warning("model.no_json_schema model=%s asks_for=json_object", call.model)
                self._without_schemas.add(call.model)
        told = [*messages, {"role": "system", "content": in_words}]
        return validated(self._complete(call, told, {"type": "json_object"}), call.model, schema)

    def _complete(self, call: Call, messages: Sequence[Message], response_format: Message | None) -> Reply:
        """Return an answer; call again with a higher cap where it was cut off. The cap stays raised."""
        raised = (call.model, call.max_tokens) in self._raised_caps
        reply = self._post(call, messages, response_format, call.max_tokens * (CAP_RAISE if raised else 1))
        if reply.cut_off and not raised:
            logger.warning("model.answer_cut_off model=%s max_tokens=%d", call.model, call.max_tokens)
            self._raised_caps.add((call.model, call.max_tokens))
            reply = self._post(call, messages, response_format, call.max_tokens * CAP_RAISE)
        if reply.cut_off:
            raise unusable(f"it was cut off at {call.max_tokens * CAP_RAISE} tokens")
        return reply

    def _post(self, call: Call, messages: Sequence[Message], response_format: Message | None, cap: int) -> Reply:
        """Ask in the price tier of the call, and at once in the standard one where that is not to be had."""
        tier = call.service_tier
        if tier is None or (call.model, tier) in self._without_tier:
            return self._post_once(call, messages, response_format, cap, None)
        try:
            return self._post_once(call, messages, response_format, cap, tier)
        except TierUnavailable as error:
            logger.warning("model.tier_unavailable model=%s tier=%s", call.model, tier)
            if error.known:
                self._without_tier.add((call.model, tier))
            standard: Tier | None = None if error.known else STANDARD
        return self._post_once(call, messages, response_format, cap, standard)

    def _post_once(
        self,
        call: Call,
        messages: Sequence[Message],
        response_format: Message | None,
        cap: int,
        tier: Tier | None,
    ) -> Reply:
        body = body_of(call, messages, response_format, cap, tier)
        planned = PlannedRequest(call.model, call.purpose, input_tokens(messages), cap, tier)
        asked = time.monotonic()
        with admitted(self._guards, planned) as ending, recorded(planned, ending, self._meter) as record:
            self._postpone(time.monotonic() - asked)
            raw = self._send(
                call.timeout,
                lambda http: http.chat.completions.with_raw_response.create(**body).http_response,
                record,
                ending,
            )
            record.usage, record.served_model, record.service_tier = read_bill(raw.content)
            return read_reply(raw.content, raw.headers, secret=self._key)

    def _send(
        self,
        timeout: float,
        request: Callable[["openai.OpenAI"], "httpx2.Response"],
        record: ModelRequest | None = None,
        ending: Ending | None = None,
    ) -> "httpx2.Response":
        """Send one HTTP request; ``record`` gets the response's status and id, ``ending`` is asked once more before."""
        http = self._http()
        import httpx2
        import openai

        from growbin_jobs.adapters.llm.connection import timeouts

        begun = nullcontext() if record is None or ending is None else self._begin(record, ending)
        try:
            with begun:
                response = request(http.with_options(timeout=timeouts(timeout)))
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            if ending is not None and isinstance(ending.refusal, GrowbinError):
                raise ending.refusal from None
            _note_response(record, getattr(error, "response", None))
            if record is not None:
                unconnected = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
                record.reached = not isinstance(error.__cause__, unconnected)
            failure = from_exception(error, secret=self._key, model=record.model if record else None)
            if isinstance(error, openai.APIStatusError):
                tier = record.asked_tier if record else None
                failure = refused_tier(error.status_code, error.body, tier) or failure
                if refuses_schemas(error.status_code, error.body) and isinstance(failure, Permanent):
                    failure = SchemaNotSupported(failure.code, **failure.params)
        else:
            _note_response(record, response)
            return response
        # Out here, so that our error does not hold on to the SDK's as its context: that has the request and the key.
        raise failure

    def _deadline(self, seconds: float) -> AbstractContextManager[None]:
        self._http()  # loading the SDK is not the server's time
        from growbin_jobs.adapters.llm.deadline import deadline

        return deadline(seconds)

    def _postpone(self, seconds: float) -> None:
        """Leave the time out of the call's deadline that the guards took: its server had nothing to do with it."""
        from growbin_jobs.adapters.llm.deadline import postpone

        postpone(seconds)

    def _begin(self, record: ModelRequest, ending: Ending) -> AbstractContextManager[None]:
        """Ask the guards once more when the connection is there, before the first byte of the request inside."""
        from growbin_jobs.adapters.llm.first_byte import before_first_byte

        def begin() -> None:
            asked = time.monotonic()
            ending.begin()
            self._postpone(time.monotonic() - asked)
            record.begin()

        return before_first_byte(begin)

    def _connect(self) -> "openai.OpenAI":
        from growbin_jobs.adapters.llm.connection import connect

        return connect(self._url, self._key)


def _note_response(record: ModelRequest | None, response: "httpx2.Response | None") -> None:
    if record is not None and response is not None:
        began = response.extensions.get(BEGAN)
        record.begin_response(response.status_code, response.headers.get("x-request-id"), at=began)
        record.rate_headers = rate_headers(response.headers)
