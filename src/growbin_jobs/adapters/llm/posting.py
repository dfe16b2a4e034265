"""Posts one request for an answer: what has to agree before, its record after, and the tier that has room for it."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from growbin_jobs.adapters.llm.estimate import input_tokens
from growbin_jobs.adapters.llm.fitting import Fitted, Wish, fitted
from growbin_jobs.adapters.llm.guards import Guard, PlannedRequest, admitted
from growbin_jobs.adapters.llm.learning import Knowledge
from growbin_jobs.adapters.llm.lessons import Lessons
from growbin_jobs.adapters.llm.meter import Meter
from growbin_jobs.adapters.llm.recording import recorded
from growbin_jobs.adapters.llm.reply import Completion, Reply
from growbin_jobs.adapters.llm.sending import Sender, postpone
from growbin_jobs.adapters.llm.tiers import STANDARD, TierUnavailable, refused_tier
from growbin_jobs.adapters.llm.usage import read_bill
from growbin_jobs.errors import GrowbinError
from growbin_jobs.model_catalog import Tier

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Posting:
    """Posts requests that are paid for.

    Parameters:
      sender: The way to the server.
      guards: Must all agree before one is sent, in this order.
      meter: Gets a record of each.
      knowledge: What is known of the server.
      lessons: Reads and learns from what it says.
    """

    def __init__(
        self, sender: Sender, guards: Sequence[Guard], meter: Meter, knowledge: Knowledge, lessons: Lessons
    ) -> None:
        self._sender = sender
        self._guards = tuple(guards)
        self._meter = meter
        self._knowledge = knowledge
        self._lessons = lessons

    def post(self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]]) -> Completion[Answer]:
        """Ask in the price tier of the call, and at once in the standard one where that has no room.

        Parameters:
          wish: The request.
          asked: As it is sent.
          read: Reads the reply, or raises what is recorded of it.

        Raises:
          Permanent, Transient, Deferred: See :mod:`growbin_jobs.adapters.llm.errors`.
        """
        try:
            return self._once(wish, asked, read)
        except TierUnavailable:
            logger.warning("model.tier_unavailable model=%s tier=%s", wish.call.model, wish.call.service_tier)
        return self._once(wish, fitted(wish, self._knowledge.facts(wish.call.model), STANDARD), read)

    def _once(self, wish: Wish, asked: Fitted, read: Callable[[Reply], Completion[Answer]]) -> Completion[Answer]:
        from growbin_jobs.adapters.llm.connection import completions

        call, body = wish.call, asked.body
        tier: Tier | None = body.get("service_tier")
        planned = PlannedRequest(call.model, call.purpose, input_tokens(body["messages"]), asked.cap, tier)

        def refused(failure: GrowbinError, status: int, document: object) -> GrowbinError:
            failure = refused_tier(status, document, tier) or failure
            failure = self._lessons.of_refusal(wish, asked, status, document) or failure
            return self._lessons.keep_words(call.model, failure, status, document, sent=asked.texts)

        began = time.monotonic()
        with admitted(self._guards, planned) as ending, recorded(planned, ending, self._meter) as record:
            postpone(time.monotonic() - began)
            raw = self._sender.send(
                call.timeout,
                lambda http, seconds: completions(http, body, seconds),
                record=record,
                ending=ending,
                sent=asked.texts,
                refused=refused,
            )
            record.usage, record.served_model, record.service_tier = read_bill(raw.content)
            # Read here: an answer that does not fit is paid for, and is none that anybody keeps.
            return read(self._lessons.reply(wish, asked, raw.content, raw.headers))
