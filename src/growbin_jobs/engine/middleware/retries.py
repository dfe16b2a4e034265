"""What becomes of a message whose actor raised: retried, put off, or given up."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from dramatiq import RateLimitExceeded, Retry
from dramatiq.broker import Broker
from dramatiq.errors import BrokerConnectionError
from dramatiq.middleware import Retries as DramatiqRetries
from dramatiq.middleware import Shutdown

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import pause_after
from growbin_jobs.engine.control.aborted import Aborted
from growbin_jobs.engine.delivery.runs import counted
from growbin_jobs.engine.errors import Deferred, Permanent, Returned, Transient
from growbin_jobs.engine.foreign_errors import describe, places
from growbin_jobs.engine.foreign_numbers import finite
from growbin_jobs.engine.middleware.follow_ups import as_data
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.middleware.open_files import end_if_none_left
from growbin_jobs.engine.middleware.options import read_all
from growbin_jobs.engine.reasons import REASONS
from growbin_jobs.engine.text import plain

logger = logging.getLogger(__name__)

#: Longest pause between two retries, in milliseconds, where nobody asks for another one.
MAX_BACKOFF = 3_600_000

#: A pause is taken times one of these: what failed together does not come back together, and nothing comes early.
RETRY_JITTER, WAIT_JITTER = (1.0, 1.5), (1.0, 1.25)

#: So often a message may be put off for less than :data:`LEAST_PAUSE` milliseconds: one that always asks for no pause
#: would run without end at full speed.
QUICK_DEFERRALS, LEAST_PAUSE = 5, 1_000

Params = dict[str, str | int | float]


class Retries(InPlaceOf, DramatiqRetries):
    """Decides by the class of the error and by the options of the actor and the message.

    - :class:`Permanent`, what the actor's ``throws`` names, calls that do not fit its signature: given up at once.
    - :class:`Returned`: back to its queue at once, uncounted.
    - :class:`Deferred`, and Dramatiq's ``RateLimitExceeded`` and ``Shutdown``: put off; spends no retry, but all
      waiting together has a limit, unless it is for capacity.
    - everything else, Dramatiq's ``Retry`` too: retried with exponential backoff and jitter, while ``retry_when`` says
      so, or until ``max_retries`` are spent.

    A message that is given up is marked as failed, with ``code`` and ``params`` for a person in ``message.given_up``;
    the broker moves it to the dead letters. So is one about which nothing can be decided. When the retry cannot be
    published for now, the message goes back to its queue instead of being acknowledged, so that it is not lost
    (Bogdanp/dramatiq#545).

    Parameters:
      max_retries: Where the actor does not say. None: without end.
      min_backoff: Milliseconds before the first retry, where the actor does not say.
      max_backoff: Milliseconds before any retry at most, before jitter, where the actor does not say.
      retry_when: Where the actor does not say; see Dramatiq.
      max_wait: Seconds that one message may be put off in all.
      clock: Seconds since 1970; tests have their own.
    """

    only_failures = True

    stock = DramatiqRetries
    replaceable = "Give actors their max_retries, backoff, throws and retry_when, or raise Permanent or Deferred."

    def __init__(
        self,
        *,
        max_retries: int | None = 3,
        min_backoff: int = 15_000,
        max_backoff: int = MAX_BACKOFF,
        retry_when: Callable[[int, BaseException], bool] | None = None,
        max_wait: float = 86_400.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        # Not the base class's, which takes 0 for "not given".
        self._defaults: dict[str, Any] = {
            "max_retries": max_retries,
            "min_backoff": min_backoff,
            "max_backoff": max_backoff,
            "retry_when": retry_when,
        }
        self.max_wait = max_wait
        self._clock = clock

    def adopt(self, other: Any) -> None:
        self._defaults = {name: getattr(other, name) for name in self._defaults}

    def on_clock(self, clock: Callable[[], float]) -> Retries:
        """Return one that goes by another clock and is the same otherwise."""
        return Retries(**self._defaults, max_wait=self.max_wait, clock=clock)

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if exception is None or getattr(message, "stale", False):
            return
        end_if_none_left(exception)
        try:
            self._decide(broker, message, exception)
        except (BrokerConnectionError, ConnectionError) as error:
            events.DECISION_FAILED.emit(message, error=describe(error), where=places(error))
            message.requeue("retry_unpublished")
        except Exception as error:
            # What cannot be decided now will not be decided the next time: it would run for ever.
            detail = f"{describe(exception)} was raised, and then {describe(error)}."
            self._give_up(message, "decision_invalid", {"detail": detail})

    def _decide(self, broker: Broker, message: Any, exception: BaseException) -> None:
        options = self._options(broker, message)
        throws = options["throws"]
        match exception:
            case Aborted():
                return  # the middleware before this one has dropped it
            case Returned():
                message.requeue(exception.reason, counted=False)
            case Deferred():
                self._put_off(broker, message, exception, _milliseconds(exception.wait * 1000))
            case _ if throws and isinstance(exception, throws):
                code, params = _code_of(exception)
                self._give_up(message, code, params)
            case Permanent():
                self._give_up(message, exception.code, exception.params)
            case Shutdown():
                self._put_off(broker, message, exception, 0)
            case RateLimitExceeded():
                waited = counted(message.options, "deferrals")
                pause = pause_after(waited, options["min_backoff"], options["max_backoff"])
                self._put_off(broker, message, exception, pause)
            case TypeError() if (misfit := _misfit(broker, message)) is not None:
                self._give_up(message, "request_invalid", {"detail": misfit})
            case _:
                self._retry(broker, message, exception, options)

    def _options(self, broker: Broker, message: Any) -> dict[str, Any]:
        of_actor = broker.get_actor(message.actor_name).options
        if not message.options:
            return self._defaults | {"throws": None} | of_actor
        of_message = {name: value for name, value in read_all(message.options).items() if name != "retry_when"}
        if not of_message.get("on_retry_exhausted"):
            of_message.pop("on_retry_exhausted", None)
        return self._defaults | {"throws": None} | of_actor | of_message

    def _retry(self, broker: Broker, message: Any, exception: BaseException, options: dict[str, Any]) -> None:
        limit, retry_when = options["max_retries"], options["retry_when"]
        if isinstance(exception, Transient) and exception.max_retries is not None:
            limit = exception.max_retries if limit is None else min(limit, exception.max_retries)
        retries = max(0, counted(message.options, "retries"))
        spent = not retry_when(retries, exception) if retry_when else limit is not None and retries >= limit
        if spent:
            self._exhausted(broker, message, exception, options.get("on_retry_exhausted"), limit)
            return
        if isinstance(exception, Retry) and exception.delay is not None:
            delay = _milliseconds(exception.delay)
        else:
            delay = int(pause_after(retries, options["min_backoff"], options["max_backoff"], RETRY_JITTER))
        message.failures = retries + 1
        broker.enqueue(message.copy(options={"retries": retries + 1}), delay=delay)
        events.RETRIED.emit(
            message, retry=retries + 1,
            limit="∞" if limit is None or retry_when else limit, in_ms=delay, error=describe(exception),
        )  # fmt: skip

    def _exhausted(
        self, broker: Broker, message: Any, exception: BaseException, target: str | None, limit: int | None
    ) -> None:
        retries = max(0, counted(message.options, "retries"))
        message.failures = retries + 1
        if target:
            broker.get_actor(target).send(as_data(message), {"retries": retries, "max_retries": limit})
        params: Params = {"attempts": retries + 1, "detail": describe(exception)}
        final = exception.final_code if isinstance(exception, Transient) else "retries_exhausted"
        if final in REASONS:
            self._give_up(message, final, params)
        else:
            self._give_up(message, "given_up", params | {"detail": plain(final)})

    def _put_off(self, broker: Broker, message: Any, exception: BaseException, pause: float) -> None:
        now = self._clock()
        since = finite(message.options.get("deferred_since"))
        since = now if since is None else since
        capacity = isinstance(exception, Deferred) and exception.capacity
        if not capacity and now - since > self.max_wait:
            self._give_up(
                message,
                "waited_too_long",
                {"hours": round(self.max_wait / 3600, 1), "detail": describe(exception)},
            )
            return
        deferrals = max(0, counted(message.options, "deferrals")) + 1
        if deferrals > QUICK_DEFERRALS:
            pause = max(pause, LEAST_PAUSE)
        delay = int(pause_after(0, longest := min(pause, self.max_wait * 1000), longest, WAIT_JITTER))
        if isinstance(exception, Deferred) and exception.pauses_queue:
            self._pause(broker, message, exception, pause)
        # What it waited for before is back, or it would not wait for its turn: that time is over.
        updates = {"deferrals": deferrals} | ({} if capacity else {"deferred_since": since})
        copy = message.copy(options=updates)
        if capacity:
            copy.options.pop("deferred_since", None)
        broker.enqueue(copy, delay=delay)
        events.DEFERRED.emit(
            message, deferral=deferrals, in_ms=delay,
            error=describe(exception),
        )  # fmt: skip

    def _pause(self, broker: Broker, message: Any, exception: Deferred, pause: float) -> None:
        pauses = getattr(broker, "pauses", None)
        if pauses is not None and pauses.pause(message.queue_name, "deferred", pause / 1000):
            events.QUEUE_PAUSED.emit(queue=message.queue_name, seconds=pause / 1000, reason=describe(exception))

    def _give_up(self, message: Any, code: str, params: Params) -> None:
        message.give_up(code, params)


def _milliseconds(pause: Any) -> int:
    """Read how long an error asks to wait; an actor may have given anything."""
    if isinstance(pause, timedelta):
        pause = pause.total_seconds() * 1000
    milliseconds = finite(pause)
    if milliseconds is None:
        raise Permanent("decision_invalid", detail=f"a pause of {plain(pause)}")
    return max(0, int(milliseconds))


def _code_of(exception: BaseException) -> tuple[str, Params]:
    if isinstance(exception, Permanent):
        return exception.code, exception.params
    return "given_up", {"detail": describe(exception)}


def _misfit(broker: Broker, message: Any) -> str | None:
    """Return what is wrong with a call that does not fit the actor's signature, such as the name of what is missing."""
    try:
        inspect.signature(broker.get_actor(message.actor_name).fn).bind(*message.args, **message.kwargs)
    except TypeError as error:
        return f"the arguments do not fit the actor: {plain(str(error))}"
    except ValueError:  # a function of C without a signature
        return None
    return None
