"""Calls a language model over OpenAI's Chat Completions; knows nothing of waste."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from growbin_jobs.adapters.llm.address import OPENAI_URL, parted_url
from growbin_jobs.adapters.llm.asking import Asking
from growbin_jobs.adapters.llm.call import Call, Message
from growbin_jobs.adapters.llm.errors import from_exception, from_response
from growbin_jobs.adapters.llm.estimate import input_tokens
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import BATCHES, Fitted, Wish, fitted
from growbin_jobs.adapters.llm.guards import Ending, Guard, PlannedRequest, admitted
from growbin_jobs.adapters.llm.learning import Knowledge, Memory, OwnMemory
from growbin_jobs.adapters.llm.meter import Meter, ModelRequest, NullMeter
from growbin_jobs.adapters.llm.normalised import Also
from growbin_jobs.adapters.llm.prepared import Prepared, plain, structured
from growbin_jobs.adapters.llm.recording import note_response, recorded
from growbin_jobs.adapters.llm.refusals import FieldRefused
from growbin_jobs.adapters.llm.reply import Completion, Reply, read_bill, read_models, read_reply
from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.adapters.llm.structured import Schema
from growbin_jobs.adapters.llm.successors import first_offered
from growbin_jobs.adapters.llm.tiers import STANDARD, TierUnavailable, refused_tier
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import ConfigurationError, GrowbinError, Permanent
from growbin_jobs.model_catalog import AUTO, Server, Tier, find_server

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.resources.models import ModelsWithRawResponse

    from growbin_jobs.adapters.llm.batches import BatchServer

Answer = TypeVar("Answer")

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
      server: Kind of server by the catalogue; ``auto``: by its address.
      memory: Where is kept what its models take and refuse; None: in this process.

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
        server: str = AUTO,
        memory: Memory | None = None,
    ) -> None:
        key = (api_key or "").strip()  # a key from a file ends in a newline
        if not key and not base_url:
            raise ConfigurationError(
                "No model server: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own."
            )
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError("OPENAI_API_KEY contains characters that no key has. Copy it again.")
        self._key = key
        self._url, self._query = parted_url(base_url or OPENAI_URL)
        self._meter = NullMeter() if meter is None else meter
        self._guards = tuple(guards)
        self._http = once_a_process(self._connect)
        found = find_server(server, self._url)
        self._knowledge = Knowledge(found, self._url, OwnMemory() if memory is None else memory)
        self._asking = Asking(self._knowledge, self._post, self._postpone)

    @property
    def own_address(self) -> str | None:
        """Address of a server of your own, which names no user and no password; None for OpenAI."""
        return None if self._url == OPENAI_URL else self._url

    @property
    def server(self) -> Server:
        """What the catalogue says of the server."""
        return self._knowledge.server

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def ask(
        self,
        call: Call,
        messages: Sequence[Message],
        schema: type[Schema],
        *,
        in_words: str,
        inline: Callable[[], str] | None = None,
        also: Also | None = None,
    ) -> Completion[Schema]:
        """Return the model's answer in the form of a schema.

        Asks for strict structured output, and for less where the server refuses a part of that, which is remembered.
        The answer is validated here in either case: servers exist that accept a schema and do not keep to it.

        Parameters:
          call: Which model and how.
          messages: In the form of the API.
          schema: Forbids extra fields and has no defaults, as strict structured output demands.
          in_words: The schema as a prompt, for servers that take none. It must say "JSON" (OpenAI insists).
          inline: Makes a ``data:`` URL of the picture that the messages name by address, for servers that fetch none.
          also: Words of the schema to their other names, which models answer where nothing holds them to it.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """

        def asked(one: Call) -> Completion[Schema]:
            request = structured(one, messages, schema, in_words=in_words, inline=inline, also=also)
            return self._asking.answer(request.wish, request.read)

        return self._first_offered(call, asked)

    def ask_text(
        self, call: Call, messages: Sequence[Message], *, check: Callable[[str], str] = str
    ) -> Completion[str]:
        """Return the model's answer as text, stripped and not empty.

        Parameters:
          call: Which model and how.
          messages: In the form of the API.
          check: Returns an answer that may be used, or raises ``Transient``: its request is recorded as unusable.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """

        def asked(one: Call) -> Completion[str]:
            request = plain(one, messages, check)
            return self._asking.answer(request.wish, request.read)

        return self._first_offered(call, asked)

    def models(self, *, timeout: float = 10.0) -> dict[str, date | None]:
        """Return the models that the server offers, each with the announced day of its end (None: not announced).

        None where the server has no such page.

        Parameters:
          timeout: Seconds for the whole call.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        with self._deadline(timeout):
            try:
                raw = self._send(timeout, lambda http, limit: _models(http, limit).list().http_response)
            except Permanent as error:
                if error.code == "model_rejected_request" and error.params["status"] in (404, 405, 501):
                    return {}
                raise
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
                self._send(timeout, lambda http, limit: _models(http, limit).retrieve(model).http_response, record)
            except Permanent as error:
                if error.code != "model_rejected_request":  # a server that has no such page says nothing by that
                    raise

    def warm_up(self) -> None:
        """Load the SDK and build this process's HTTP client (1–2 s), so that the first call need not."""
        self._http()

    def facts(self, model: str) -> Facts:
        """Return what is known of a model: what this server refuses, and what it has answered.

        Raises:
          Deferred: The memory is away.
        """
        return self._knowledge.facts(model)

    def in_a_batch(self, request: Prepared[Answer]) -> Fitted:
        """Return a request as it stands in a batch: without a price tier, by what is known of the server.

        Raises:
          Deferred: The memory of that is away.
        """
        return fitted(request.wish, self._knowledge.facts(request.wish.call.model))

    def read_from_batch(
        self, request: Prepared[Answer], status: int, body: Mapping[str, Any], record: ModelRequest
    ) -> Completion[Answer]:
        """Return the answer that a batch gives to a request, read as a live one; what a refusal teaches is learnt.

        Parameters:
          request: As it was asked; the picture may be left out.
          status: Of HTTP, as the batch says.
          body: Of the response.
          record: Gets the tokens and the model that answered.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        wish, asked = request.wish, self.in_a_batch(request)
        try:
            if status != HTTPStatus.OK:
                failure = from_response(status, body, {}, secret=self._key, model=wish.call.model, sent=asked.texts)
                raise self._asking.lesson(wish, asked, status, body) or failure
            raw = json.dumps(body).encode()
            record.usage, record.served_model, _ = read_bill(raw)
            headers = {"x-request-id": record.request_id} if record.request_id else {}
            return self._asking.read(wish, asked, request.read, self._reply(wish, asked, raw, headers))
        except FieldRefused as refused:
            self._knowledge.learn(wish.call.model, refused.facts)
            raise

    def has_batches(self, model: str) -> bool:
        """Return whether the server may be asked in batches: it has not refused them yet.

        Raises:
          Deferred: The memory of that is away.
        """
        return BATCHES not in self._knowledge.facts(model).refused

    def learn_no_batches(self, model: str, words: str) -> None:
        """Remember that the server has no batches.

        Parameters:
          model: Of the batch that it refused.
          words: What it said.
        """
        logger.warning("model.learnt model=%s refused=%s", model, BATCHES)
        self._knowledge.learn(model, Facts(refused={BATCHES: words}))

    @property
    def batches(self) -> "BatchServer":
        """The calls that make batches and fetch their results."""
        from growbin_jobs.adapters.llm.batches import BatchServer

        return BatchServer(self._http, self._key)

    def _first_offered(self, call: Call, ask: Callable[[Call], Completion[Answer]]) -> Completion[Answer]:
        calls = (call, *call.successors)
        with self._deadline(call.timeout):
            return first_offered([each.model for each in calls], lambda place: ask(calls[place]))

    def _post(self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]]) -> Completion[Answer]:
        """Ask in the price tier of the call, and at once in the standard one where that has no room."""
        try:
            return self._post_once(wish, asked, read)
        except TierUnavailable:
            logger.warning("model.tier_unavailable model=%s tier=%s", wish.call.model, wish.call.service_tier)
        return self._post_once(wish, fitted(wish, self._knowledge.facts(wish.call.model), STANDARD), read)

    def _post_once(self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]]) -> Completion[Answer]:
        from growbin_jobs.adapters.llm.connection import completions

        call, body = wish.call, asked.body
        tier: Tier | None = body.get("service_tier")
        planned = PlannedRequest(call.model, call.purpose, input_tokens(body["messages"]), asked.cap, tier)
        began = time.monotonic()
        with admitted(self._guards, planned) as ending, recorded(planned, ending, self._meter) as record:
            self._postpone(time.monotonic() - began)
            raw = self._send(
                call.timeout,
                lambda http, seconds: completions(http, body, seconds),
                record,
                ending,
                wish=wish,
                asked=asked,
            )
            record.usage, record.served_model, record.service_tier = read_bill(raw.content)
            # Read here: an answer that does not fit is paid for, and is none that anybody keeps.
            return read(self._reply(wish, asked, raw.content, raw.headers))

    def _reply(self, wish: Wish, asked: Fitted, body: bytes, headers: Mapping[str, str]) -> Reply:
        return read_reply(
            body,
            headers,
            secret=self._key,
            model=wish.call.model,
            sent=asked.texts,
            structured=wish.form is not None,
        )

    def _send(
        self,
        timeout: float,
        request: Callable[["openai.OpenAI", "httpx2.Timeout"], "httpx2.Response"],
        record: ModelRequest | None = None,
        ending: Ending | None = None,
        wish: Wish | None = None,
        asked: Fitted | None = None,
    ) -> "httpx2.Response":
        """Send one HTTP request; ``record`` gets the response's status and id, ``ending`` is asked once more before."""
        http = self._http()
        import httpx2
        import openai

        from growbin_jobs.adapters.llm.connection import timeouts
        from growbin_jobs.adapters.llm.first_byte import admitted_again

        begun = nullcontext() if record is None or ending is None else admitted_again(record, ending, self._postpone)
        try:
            with begun:
                response = request(http, timeouts(timeout))
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            if ending is not None and isinstance(ending.refusal, GrowbinError):
                raise ending.refusal from None
            note_response(record, getattr(error, "response", None))
            if record is not None:
                unconnected = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
                record.reached = not isinstance(error.__cause__, unconnected)
            sent = asked.texts if asked else []
            failure = from_exception(error, secret=self._key, model=record.model if record else None, sent=sent)
            if isinstance(error, openai.APIStatusError):
                tier = record.asked_tier if record else None
                failure = refused_tier(error.status_code, error.body, tier) or failure
                if wish is not None and asked is not None:
                    failure = self._asking.lesson(wish, asked, error.status_code, error.body) or failure
                if isinstance(failure, Permanent) and not isinstance(failure, FieldRefused) and record is not None:
                    said = read_said(error.body).quote(self._key, sent)
                    self._knowledge.learn(record.model, Facts(said=f"HTTP {error.status_code}, {said}"))
        else:
            note_response(record, response)
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

    def _connect(self) -> "openai.OpenAI":
        from growbin_jobs.adapters.llm.connection import connect

        return connect(self._url, self._key, query=self._query, key_header=self._knowledge.server.key_header)


def _models(http: "openai.OpenAI", timeout: "httpx2.Timeout") -> "ModelsWithRawResponse":
    """Return the SDK's calls that ask for models, which are rare."""
    return http.with_options(timeout=timeout).models.with_raw_response
