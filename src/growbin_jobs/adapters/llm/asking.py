"""Asks until the server has refused nothing that was sent; each thing that it refuses is sent to it once only."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from growbin_jobs.adapters.llm.errors import unusable
from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.fitting import Fitted, Wish, fitted
from growbin_jobs.adapters.llm.learning import Knowledge
from growbin_jobs.adapters.llm.refusals import FieldRefused, learnt_from
from growbin_jobs.adapters.llm.reply import Completion, Reply
from growbin_jobs.adapters.llm.said import read_said
from growbin_jobs.errors import Transient

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)

#: Things that one call finds out at most; each costs one request.
_MOST_LEARNT: Final = 16


class Post(Protocol):
    """Sends one request, and records it with what reading its reply raises."""

    def __call__(
        self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]]
    ) -> Completion[Answer]: ...


class Asking:
    """Fits requests to a server, and learns from its refusals.

    Parameters:
      knowledge: What is known of the server.
      post: Sends one request.
      postpone: Leaves so many seconds out of the call's deadline.
    """

    def __init__(self, knowledge: Knowledge, post: Post, postpone: Callable[[float], None]) -> None:
        self._knowledge = knowledge
        self._post = post
        self._postpone = postpone

    def answer(self, wish: Wish, read: Callable[[Reply], Completion[Answer]]) -> Completion[Answer]:
        """Return what a model answers.

        Parameters:
          wish: The request.
          read: Reads the reply, or raises ``Transient`` where it cannot be used.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        model, tier = wish.call.model, wish.call.service_tier
        began = time.monotonic()
        with self._knowledge.turn(model, lambda facts: fitted(wish, facts, tier).used):
            self._postpone(time.monotonic() - began)
            for _ in range(_MOST_LEARNT):
                known = self._knowledge.facts(model)
                asked = fitted(wish, known, tier)
                try:
                    found = self._post(wish, asked, partial(self.read, wish, asked, read))
                except FieldRefused as refused:
                    logger.warning("model.learnt model=%s refused=%s", model, ",".join(refused.facts.refused))
                    self._knowledge.learn(model, refused.facts)
                    continue
                self._knowledge.learn(model, Facts(proven=asked.used, said="" if known.said else None))
                return found
        raise unusable("the server refuses one part of the request after the other")

    def lesson(self, wish: Wish, asked: Fitted, status: int, body: object) -> FieldRefused | None:
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

    def read(
        self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]], reply: Reply
    ) -> Completion[Answer]:
        """Return what a reply says; learn a higher cap, or that the schema has to be said in words besides.

        An answer outside the schema is paid for: whether to ask again is the queue's business, which counts that.

        Parameters:
          wish: The request.
          asked: As it was sent.
          read: Reads the reply, or raises ``Transient`` where it cannot be used.
          reply: What came.

        Raises:
          FieldRefused: It was cut off, and the cap can be raised.
          Transient: It cannot be used.
        """
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
