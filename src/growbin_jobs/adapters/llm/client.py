"""Calls a language model over OpenAI's Chat Completions; knows nothing of waste."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from growbin_jobs.adapters.llm.address import OPENAI_URL, parted_url
from growbin_jobs.adapters.llm.asking import Asking
from growbin_jobs.adapters.llm.call import Call, Message
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.guards import Guard
from growbin_jobs.adapters.llm.in_batches import InBatches
from growbin_jobs.adapters.llm.learning import Knowledge, Memory, OwnMemory
from growbin_jobs.adapters.llm.lessons import Lessons
from growbin_jobs.adapters.llm.meter import Meter, ModelRequest, NullMeter
from growbin_jobs.adapters.llm.normalised import Also
from growbin_jobs.adapters.llm.offered import read_models
from growbin_jobs.adapters.llm.posting import Posting
from growbin_jobs.adapters.llm.prepared import plain, structured
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.adapters.llm.sending import Sender, postpone
from growbin_jobs.adapters.llm.structured import Schema
from growbin_jobs.adapters.llm.successors import first_offered
from growbin_jobs.errors import ConfigurationError, Permanent
from growbin_jobs.model_catalog import AUTO, Server, find_server

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.resources.models import ModelsWithRawResponse


Answer = TypeVar("Answer")


class ModelClient:
    """Asks a model server. One object serves all threads or greenlets, and survives a fork.

    The HTTP client is built at the first call of each process: processes that share one's sockets read each other's
    answers. It never retries; whether and when to try again is the queue's business, which counts what is paid for.

    Attributes:
      in_batches: Asks the server in batches.

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
        self._url, query = parted_url(base_url or OPENAI_URL)
        found = find_server(server, self._url)
        self._sender = Sender(self._url, key, query=query, key_header=found.key_header)
        self._knowledge = Knowledge(found, self._url, OwnMemory() if memory is None else memory)
        self._lessons = Lessons(self._knowledge, key)
        meter = NullMeter() if meter is None else meter
        posting = Posting(self._sender, guards, meter, self._knowledge, self._lessons)
        self._asking = Asking(self._knowledge, self._lessons, posting.post, postpone)
        self.in_batches = InBatches(self._sender, self._knowledge, self._lessons, key)

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
        with self._sender.deadline(timeout):
            try:
                raw = self._sender.send(timeout, lambda http, limit: _models(http, limit).list().http_response)
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
        with self._sender.deadline(timeout):
            try:
                self._sender.send(
                    timeout,
                    lambda http, limit: _models(http, limit).retrieve(model).http_response,
                    record=record,
                    refused=partial(self._lessons.keep_words, model),
                )
            except Permanent as error:
                if error.code != "model_rejected_request":  # a server that has no such page says nothing by that
                    raise

    def warm_up(self) -> None:
        """Load the SDK and build this process's HTTP client (1–2 s), so that the first call need not."""
        self._sender.http()

    def facts(self, model: str) -> Facts:
        """Return what is known of a model: what this server refuses, and what it has answered.

        Raises:
          Deferred: The memory is away.
        """
        return self._knowledge.facts(model)

    def _first_offered(self, call: Call, ask: Callable[[Call], Completion[Answer]]) -> Completion[Answer]:
        calls = (call, *call.successors)
        with self._sender.deadline(call.timeout):
            return first_offered([each.model for each in calls], lambda place: ask(calls[place]))


def _models(http: "openai.OpenAI", timeout: "httpx2.Timeout") -> "ModelsWithRawResponse":
    """Return the SDK's calls that ask for models, which are rare."""
    return http.with_options(timeout=timeout).models.with_raw_response
