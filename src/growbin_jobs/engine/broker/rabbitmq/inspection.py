"""Answers questions about the queues that a process knows: how deep they are, and what is among their dead letters."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable

from dramatiq.common import xq_name

from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.port import DeadLetter, Depth, Survey
from growbin_jobs.engine.broker.rabbitmq import dead_letters
from growbin_jobs.engine.broker.rabbitmq.admin_channel import AdminChannel
from growbin_jobs.engine.broker.rabbitmq.renewable_connections import RenewableConnections
from growbin_jobs.engine.broker.unrecorded import is_unrecorded

#: Seconds after which dead letters are looked through again, though there are as many as before.
LOOK_AGAIN = 3600.0

#: Seconds that whoever asks for depths waits for each answer at most: a person looks at a page, or at a terminal.
ASKED_BRIEFLY = 5.0

#: The same for so many seconds after RabbitMQ was found away: a page that asks again should not wait as long again.
ASKED_AGAIN, AWAY_FOR = 0.5, 30.0


class Inspection:
    """Reads queues over the connection that the process has for publishing.

    Parameters:
      session: The broker's connections.
      declared: Names of the queues that the process consumes.
      timeout: Seconds to wait for each answer.
    """

    def __init__(self, session: RenewableConnections, declared: set[str], timeout: float) -> None:
        self._session = session
        self._declared = declared
        self._timeout = timeout
        self._looked_through: dict[str, tuple[int, float]] = {}
        self._away_at = -math.inf

    def depths(self, queues: Iterable[str] = ()) -> dict[str, Depth]:
        """Return the depth of each queue that the process has declared or used, or names here, as far as it exists."""
        found, was_away = {}, time.monotonic() < self._away_at + AWAY_FOR
        try:
            with self._channel(ASKED_AGAIN if was_away else ASKED_BRIEFLY) as channel:
                for name in sorted({*queues, *self._known()}):
                    ready, dead = channel.count(name), channel.count(xq_name(name))
                    if ready is not None or dead is not None:
                        found[name] = Depth(ready or 0, None, None, dead or 0)
        except BrokerUnavailable:
            self._away_at = time.monotonic()
            raise
        self._away_at = -math.inf
        return found

    def survey(self, queues: Iterable[str]) -> dict[str, Survey]:
        """Return depth and age of those queues that exist.

        RabbitMQ does not tell ages: the message at the head of each queue is taken and put back at once.
        """
        found = {}
        with self._channel() as channel:
            for name in sorted(queues):
                ready, dead = channel.count(name), channel.count(xq_name(name))
                if ready is not None:
                    age = _age_of_head(channel, name) if ready else 0.0
                    found[name] = Survey(Depth(ready, None, None, dead or 0), age)
        return found

    def dead_letters(self, queue_name: str | None, limit: int) -> list[DeadLetter]:
        """Return dead letters of one queue or of all known ones, newest first; they stay where they are."""
        with self._channel() as channel:
            return dead_letters.read(channel, self._known() if queue_name is None else [queue_name], limit)

    def note_unrecorded(self, queues: Iterable[str], note: Callable[[DeadLetter], bool]) -> int:
        """Show dead letters that perhaps no worker has recorded to a function, and mark them; return how many were new.

        A queue is looked through when its number of dead letters has changed since the last time, and once an hour.
        """
        noted = 0
        with self._channel() as channel:
            for queue in sorted({*queues, *self._known()}):
                count = channel.count(xq_name(queue)) or 0
                seen, looked_at = self._looked_through.get(queue, (0, -math.inf))
                if count and (count != seen or time.monotonic() - looked_at > LOOK_AGAIN):
                    noted += dead_letters.note_unrecorded(channel, queue, note, is_unrecorded)
                    self._looked_through[queue] = count, time.monotonic()
        return noted

    def forget_dead_letters(self, queues: Iterable[str], belongs: Callable[[bytes], bool]) -> int:
        """Remove dead letters that a function picks by their bodies; return how many."""
        with self._channel() as channel:
            return sum(dead_letters.forget(channel, queue, belongs) for queue in sorted({*queues, *self._known()}))

    def _channel(self, longest: float = math.inf) -> AdminChannel:
        return AdminChannel(self._session.connections.admin, min(self._timeout, longest))

    def _known(self) -> list[str]:
        return sorted(self._declared | self._session.connections.known_queues())


def _age_of_head(channel: AdminChannel, queue: str) -> float | None:
    got = channel.get(queue)
    if got is None:  # a consumer has it by now
        return 0.0
    channel.put_back()
    try:
        sent = float(json.loads(got.body)["message_timestamp"]) / 1000
    except (ValueError, TypeError, KeyError):  # no message, or Dramatiq's encoder of somebody else
        return None
    due = dead_letters.died_at(got.properties)  # it came out of a delay queue then
    return max(0.0, time.time() - max(sent, due.timestamp() if due is not None else 0.0))
