"""Pauses a queue of this process while a service that its messages need is away, such as the central database.

Each process has its own word on that: the state cannot lie in what is away. A queue is paused when several of its
messages in a row ended with :class:`~growbin_jobs.engine.errors.Away`, with growing pauses; at the end of each one
message begins, and the others wait for its end. If it gets through, all of them begin, and each other queue that is
paused tries at once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Final

from dramatiq import Actor, Middleware
from dramatiq.broker import Broker

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import pause_after
from growbin_jobs.engine.errors import Away, Deferred
from growbin_jobs.engine.fast.hooks import FastHooks
from growbin_jobs.engine.foreign_errors import describe
from growbin_jobs.engine.pauses import Pauses

#: Messages of a queue in a row that must meet an outage before the queue is paused: one alone may be an accident.
SUSTAINED: Final = 3

#: Longest pause in seconds, before jitter; the first one is what the error asks to wait. One message of a queue looks
#: again so often: that is cheap, and however long the outage was, its end is noticed soon.
LONGEST_PAUSE: Final = 15.0

#: A pause is taken times one of these, so that the processes of a cluster do not try together.
JITTER: Final = (0.75, 1.0)

#: Seconds after the end of a pause until others begin too, if the message that tries has not ended by then.
LONGEST_TRY: Final = 120.0

#: Of the pauses of a queue (:meth:`Pauses.pause`).
CAUSE: Final = "away"


@dataclass(slots=True)
class _Outage:
    """What a process knows of one queue.

    Attributes:
      failures: In a row, before the first pause.
      pauses: Since then; 0: it is not paused.
      trying: Ids of messages that began after the end of the latest pause.
    """

    failures: int = 0
    pauses: int = 0
    trying: set[str] = field(default_factory=set)


class Outages(Middleware):
    """See the module. One for each process."""

    def __init__(self) -> None:
        self._outages: dict[str, _Outage] = {}
        self._lock = threading.Lock()

    def concerns(self, actor: Actor[Any, Any]) -> bool:
        """Return whether runs that end well concern it (:mod:`growbin_jobs.engine.fast.hooks`)."""
        return bool(self._outages)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if not self._outages:
            return
        pauses = _pauses(broker)
        with self._lock:
            outage = self._outages.get(message.queue_name)
            if outage is not None and outage.pauses and not pauses.left(message.queue_name, CAUSE):
                outage.trying.add(message.message_id)

    def after_process_message(
        self, broker: Broker, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        if isinstance(exception, Away):
            self._met(broker, message, exception)
        elif not self._outages:
            return
        elif isinstance(exception, Deferred):
            self._told_nothing(broker, message)
        else:
            self._got_through(broker, message)

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        if self._outages:
            self._told_nothing(broker, message)

    def _met(self, broker: Broker, message: Any, error: Away) -> None:
        queue, pauses = message.queue_name, _pauses(broker)
        with self._lock:
            first = not self._outages
            outage = self._outages.setdefault(queue, _Outage())
            if first:
                _choose_hooks_anew(broker)
            if outage.pauses:
                if message.message_id not in outage.trying:
                    return  # it began before the pause, and says nothing new
            else:
                outage.failures += 1
                if outage.failures < SUSTAINED:
                    return
            seconds = pause_after(outage.pauses, min(error.wait, LONGEST_PAUSE), LONGEST_PAUSE, JITTER)
            outage.pauses += 1
            outage.trying.clear()
            # In this order: the one pass is for a message that begins after the pause.
            pauses.pause(queue, CAUSE, seconds)
            pauses.narrow(queue, seconds + LONGEST_TRY, passes=1)
        events.QUEUE_PAUSED.emit(queue=queue, seconds=seconds, reason=describe(error))

    def _told_nothing(self, broker: Broker, message: Any) -> None:
        """Note a message that did not run, or waits for something else: another one tries."""
        with self._lock:
            outage = self._outages.get(message.queue_name)
            if outage is None or not outage.pauses:
                return
            outage.trying.discard(message.message_id)
        _pauses(broker).let_pass(message.queue_name)

    def _got_through(self, broker: Broker, message: Any) -> None:
        queue, pauses = message.queue_name, _pauses(broker)
        with self._lock:
            outage = self._outages.get(queue)
            if outage is None or (outage.pauses and message.message_id not in outage.trying):
                return
            del self._outages[queue]
            if not self._outages:
                _choose_hooks_anew(broker)
            if not outage.pauses:
                return
            pauses.resume(queue, CAUSE)
            pauses.widen(queue)
            for other, known in self._outages.items():
                if known.pauses:
                    pauses.resume(other, CAUSE)
        events.QUEUE_RESUMED.emit(queue=queue, pauses=outage.pauses)


def _pauses(broker: Broker) -> Pauses:
    found: Pauses = getattr(broker, "pauses", None) or Pauses()
    return found


def _choose_hooks_anew(broker: Broker) -> None:
    if isinstance(broker, FastHooks):
        broker.choose_hooks_anew()
