"""Fits requests into a server's batches and reads the answers, by what is known of the server as for live ones."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from growbin_jobs.adapters.llm.errors import from_response
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import BATCHES, Fitted, fitted
from growbin_jobs.adapters.llm.learning import Knowledge
from growbin_jobs.adapters.llm.lessons import Lessons
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.prepared import Prepared
from growbin_jobs.adapters.llm.refusals import FieldRefused
from growbin_jobs.adapters.llm.reply import Completion
from growbin_jobs.adapters.llm.sending import Sender
from growbin_jobs.adapters.llm.usage import read_bill

if TYPE_CHECKING:
    from growbin_jobs.adapters.llm.batches import BatchServer

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class InBatches:
    """Asks a server in batches.

    Parameters:
      sender: The way to the server.
      knowledge: What is known of it.
      lessons: Reads and learns from what it says.
      secret: The server's key, which no error may quote.
    """

    def __init__(self, sender: Sender, knowledge: Knowledge, lessons: Lessons, secret: str) -> None:
        self._sender = sender
        self._knowledge = knowledge
        self._lessons = lessons
        self._secret = secret

    @property
    def server(self) -> "BatchServer":
        """The calls that make batches and fetch their results."""
        from growbin_jobs.adapters.llm.batches import BatchServer

        return BatchServer(self._sender.http, self._secret)

    def are_offered(self, model: str) -> bool:
        """Return whether the server may be asked in batches: it has not refused them yet.

        Raises:
          Deferred: The memory of that is away.
        """
        return BATCHES not in self._knowledge.facts(model).refused

    def learn_none(self, model: str, words: str) -> None:
        """Remember that the server has no batches.

        Parameters:
          model: Of the batch that it refused.
          words: What it said.
        """
        logger.warning("model.learnt model=%s refused=%s", model, BATCHES)
        self._knowledge.learn(model, Facts(refused={BATCHES: words}))

    def fit(self, request: Prepared[Answer]) -> Fitted:
        """Return a request as it stands in a batch: without a price tier, by what is known of the server.

        Raises:
          Deferred: The memory of that is away.
        """
        return fitted(request.wish, self._knowledge.facts(request.wish.call.model))

    def read(
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
        wish, asked = request.wish, self.fit(request)
        try:
            if status != HTTPStatus.OK:
                failure = from_response(status, body, {}, secret=self._secret, model=wish.call.model, sent=asked.texts)
                raise self._lessons.of_refusal(wish, asked, status, body) or failure
            raw = json.dumps(body).encode()
            record.usage, record.served_model, _ = read_bill(raw)
            headers = {"x-request-id": record.request_id} if record.request_id else {}
            return self._lessons.read(wish, asked, request.read, self._lessons.reply(wish, asked, raw, headers))
        except FieldRefused as refused:
            self._knowledge.learn(wish.call.model, refused.facts)
            raise
