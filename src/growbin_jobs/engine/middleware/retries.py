"""What becomes of a message whose actor raised: retried, put off, or given up."""

import inspect
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.engine.text import well_formed

logger = logging.getLogger(__name__)

#: Longest pause between two retries, in milliseconds.
MAX_BACKOFF = 3_600_000


class Retries(Middleware):
    """Read the class of the error and nothing else (see :mod:`growbin_jobs.engine.errors`).

    - :class:`Permanent` and calls that do not fit the actor's signature: given up at once.
    - :class:`Deferred`: put off; spends no retry, but all waiting together has a limit.
    - everything else: retried with exponential backoff and jitter until ``max_retries``.

    A message that is given up is marked as failed, with ``code`` and ``params`` for a person in
    ``message.given_up``; the broker moves it to the dead letters. When the retry itself cannot be published, the
    message goes back to its queue instead of being acknowledged, so that it is not lost (Bogdanp/dramatiq#545).

    Parameters:
      max_retries: Where the actor does not say.
      min_backoff: Milliseconds before the first retry, where the actor does not say.
      max_wait: Seconds that one message may be put off in all.
      clock: Seconds since 1970; tests have their own.
    """

    def __init__(
        self,
        *,
        max_retries: int = 3,
        min_backoff: int = 15_000,
        max_wait: float = 86_400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.max_retries = max_retries
        self.min_backoff = min_backoff
        self.max_wait = max_wait
        self._clock = clock

    @property
    def actor_options(self) -> set[str]:
        return {"max_retries", "min_backoff", "throws"}

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is None or getattr(message, "stale", False):
            return
        try:
            self._settle(broker, message, exception)
        except Exception:
            logger.exception("retry.publish_failed actor=%s id=%s", message.actor_name, message.message_id)
            message.requeue()

    def _settle(self, broker: Broker, message: Any, exception: BaseException) -> None:
        match exception:
            case Permanent():
                self._give_up(message, exception.code, exception.params)
            case Deferred():
                self._put_off(broker, message, exception)
            case TypeError() if not _fits(broker, message):
                self._give_up(message, "request_invalid", {"detail": "the arguments do not fit the actor"})
            case _:
                self._retry(broker, message, exception)

    def _retry(self, broker: Broker, message: Any, exception: BaseException) -> None:
        options = broker.get_actor(message.actor_name).options
        limit = message.options.get("max_retries", options.get("max_retries", self.max_retries))
        if isinstance(exception, Transient) and exception.max_retries is not None:
            limit = min(limit, exception.max_retries)
        retries = message.options.get("retries", 0)
        if retries >= limit:
            code = exception.final_code if isinstance(exception, Transient) else "retries_exhausted"
            self._give_up(message, code, {"attempts": retries + 1, "detail": describe(exception)})
            return
        base = message.options.get("min_backoff", options.get("min_backoff", self.min_backoff))
        delay = backoff(retries, base)
        broker.enqueue(message.copy(options={"retries": retries + 1}), delay=delay)
        logger.warning(
            "message.retry actor=%s id=%s retry=%d/%d in_ms=%d error=%s",
            message.actor_name, message.message_id, retries + 1, limit, delay, describe(exception),
        )  # fmt: skip

    def _put_off(self, broker: Broker, message: Any, exception: Deferred) -> None:
        now = self._clock()
        since = message.options.get("deferred_since", now)
        if now - since > self.max_wait:
            params: dict[str, str | int | float] = {
                "hours": round(self.max_wait / 3600, 1),
                "detail": describe(exception),
            }
            self._give_up(message, "waited_too_long", params)
            return
        deferrals = message.options.get("deferrals", 0) + 1
        # Jitter, so that what was put off together does not come back together.
        delay = int(exception.wait * 1000 * random.uniform(1.0, 1.25))  # noqa: S311
        broker.enqueue(message.copy(options={"deferred_since": since, "deferrals": deferrals}), delay=delay)
        logger.info(
            "message.deferred actor=%s id=%s deferral=%d in_ms=%d error=%s",
            message.actor_name, message.message_id, deferrals, delay, describe(exception),
        )  # fmt: skip

    def _give_up(self, message: Any, code: str, params: dict[str, str | int | float]) -> None:
        logger.error("message.given_up actor=%s id=%s code=%s", message.actor_name, message.message_id, code)
        message.given_up = (code, params)
        message.fail()


def backoff(retries: int, base: int) -> int:
    """Return the pause before the next retry in milliseconds: at least ``base``, doubled each time, with jitter."""
    return int(min(base * 2**retries, MAX_BACKOFF) * random.uniform(1.0, 1.5))  # noqa: S311


def describe(exception: BaseException) -> str:
    """Return an error in words that may be stored: the text of a foreign error may hold personal data."""
    return well_formed(str(exception)) if isinstance(exception, GrowbinError) else type(exception).__name__


def _fits(broker: Broker, message: Any) -> bool:
    try:
        inspect.signature(broker.get_actor(message.actor_name).fn).bind(*message.args, **message.kwargs)
    except TypeError:
        return False
    return True
