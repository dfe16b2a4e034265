"""Reads what a model server says to a request, and keeps what that teaches of the server."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from growbin_jobs.adapters.llm.errors import unusable
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import Fitted, Wish, fitted
from growbin_jobs.adapters.llm.learning import Knowledge
from growbin_jobs.adapters.llm.refusals import FieldRefused, learnt_from
from growbin_jobs.adapters.llm.reply import Completion, Reply, read_reply
from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.errors import GrowbinError, Permanent, Transient

Answer = TypeVar("Answer")


class Lessons:
    """Learns from replies and refusals.

    Parameters:
      knowledge: What is known of the server.
      secret: The server's key, which nothing that is kept or raised may quote.
    """

    def __init__(self, knowledge: Knowledge, secret: str) -> None:
        self._knowledge = knowledge
        self._secret = secret

    def of_refusal(self, wish: Wish, asked: Fitted, status: int, body: object) -> FieldRefused | None:
        """Return what a refusal teaches; None where the request would be the same with it.

        Parameters:
          wish: The request.
          asked: As it was sent.
          status: Of HTTP.
          body: The error's document.
        """
        try:
            self._teach(wish, asked, learnt_from(status, read_said(body), asked))
        except FieldRefused as refused:
            return refused
        return None

    def keep_words(
        self, model: str, failure: GrowbinError, status: int, body: object, *, sent: Sequence[str] = ()
    ) -> GrowbinError:
        """Keep the server's words where it refuses for good, and return the failure.

        Parameters:
          model: That was asked.
          failure: What is raised.
          status: Of HTTP.
          body: The error's document.
          sent: Texts of the request, which are not kept.
        """
        if isinstance(failure, Permanent) and not isinstance(failure, FieldRefused):
            said = read_said(body).quote(self._secret, sent)
            self._knowledge.learn(model, Facts(said=f"HTTP {status}, {said}"))
        return failure

    def reply(self, wish: Wish, asked: Fitted, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Read the body of a 200; see :func:`growbin_jobs.adapters.llm.reply.read_reply`.

        Parameters:
          wish: The request.
          asked: As it was sent.
          body, headers: Of the response.
        """
        return read_reply(
            body,
            headers,
            secret=self._secret,
            model=wish.call.model,
            sent=asked.texts,
            structured=wish.form is not None,
        )

    def read(
        self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]], reply: Reply
    ) -> Completion[Answer]:
        """Return what a reply says; learn a higher cap, or that the schema has to be said in words besides.

        An object that is whole is taken though the cap ended the answer: blanks or words came behind it. An answer
        outside the schema is paid for: whether to ask again is the queue's business, which counts that.

        Parameters:
          wish: The request.
          asked: As it was sent.
          read: Reads the reply, or raises ``Transient`` where it cannot be used.
          reply: What came.

        Raises:
          FieldRefused: It was cut off, and the cap can be raised.
          Transient: It cannot be used.
        """
        if reply.cut_off and wish.form is not None and reply.content:
            with suppress(Transient):
                return read(reply)
        if reply.cut_off:
            self._teach(wish, asked, Facts(refused={f"cap.{wish.call.max_tokens}": "it cut an answer off"}))
            raise unusable(f"it was cut off at {asked.cap} tokens")
        try:
            return read(reply)
        except Transient:
            if "schema.heeded" in asked.used and not self._knowledge.server.trusted:
                learnt = Facts(refused={"schema.heeded": "it answered outside the schema"})
                self._knowledge.learn(wish.call.model, learnt)
            raise

    def _teach(self, wish: Wish, asked: Fitted, facts: Facts) -> None:
        """Raise what a response teaches, if the request would be another one with it."""
        known = self._knowledge.facts(wish.call.model)
        if not facts.is_empty and fitted(wish, known | facts, wish.call.service_tier).body != asked.body:
            raise FieldRefused(facts)
