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
from growbin_jobs.adapters.llm.lessons import Lessons
from growbin_jobs.adapters.llm.refusals import FieldRefused
from growbin_jobs.adapters.llm.reply import Completion, Reply

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
      lessons: Reads and learns from what it says.
      post: Sends one request.
      postpone: Leaves so many seconds out of the call's deadline.
    """

    def __init__(self, knowledge: Knowledge, lessons: Lessons, post: Post, postpone: Callable[[float], None]) -> None:
        self._knowledge = knowledge
        self._lessons = lessons
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
                    found = self._post(wish, asked, partial(self._lessons.read, wish, asked, read))
                except FieldRefused as refused:
                    logger.warning("model.learnt model=%s refused=%s", model, ",".join(refused.facts.refused))
                    self._knowledge.learn(model, refused.facts)
                    continue
                self._knowledge.learn(model, Facts(proven=asked.used, said="" if known.said else None))
                return found
        raise unusable("the server refuses one part of the request after the other")
