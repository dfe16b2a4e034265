"""Publishes the outbox of a journal in the order in which it was accepted; one relay of a node at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import BrokerRefused, NotConfirmed, QueueMismatch, QueueMissing
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.errors import Deferred

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal

#: Hands messages to the broker in their order; returns None for each that it has confirmed, else the error.
Publish = Callable[[Sequence[OutboxMessage]], Sequence[Exception | None]]

#: Seconds that messages which are forwarded together wait for the broker, connecting included.
FORWARD_PATIENCE = 3.0

#: Messages that are in flight together, and that one transaction deletes.
PAGE = 100

#: Seconds after which the lease is renewed.
RENEWAL = 2.0

#: Errors that come again until a person changes something.
REFUSALS = (BrokerRefused, QueueMismatch)

#: Errors of one queue; RabbitMQ may still take messages for the others.
OF_ONE_QUEUE = (*REFUSALS, NotConfirmed, QueueMissing)

#: Errors of the broker or the journal, which concern all messages.
AWAY = (BrokerConnectionError, Deferred)


@dataclass(slots=True)
class Relayed:
    """What one run did.

    Attributes:
      sent: Messages that the broker has confirmed.
      refused: Messages that it will not take before a person changes something. They stay in the outbox.
    """

    sent: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Run:
    older_than: float
    relayed: Relayed = field(default_factory=Relayed)
    #: Queues that have failed in this run, and whether for good: what is behind must not overtake in the same queue.
    held_queues: dict[str, bool] = field(default_factory=dict)


class Relay:
    """Publishes outbox messages that nobody else publishes.

    A message is deleted only after the broker has confirmed it, so it may arrive twice, under the same id. Messages
    for one queue keep their order. One that fails holds up the others of its queue, unless it can never be published.

    Parameters:
      journal: Whose outbox.
      publish: Hands a few messages to the broker.
      claimant: Name of this relay.
      patience: Seconds that one call of ``publish`` takes at most. If this process dies, another one may go on after
        so many and four more.
      clock: Seconds that only grow.
    """

    def __init__(
        self,
        journal: Journal,
        publish: Publish,
        *,
        claimant: str,
        patience: float = FORWARD_PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._publish = publish
        self._claimant = claimant
        self._lease = patience + 2 * RENEWAL
        self._clock = clock
        self._pid = os.getpid()

    def run(self, older_than: float) -> Relayed:
        """Publish the outbox; nothing while another relay of the node does so.

        Parameters:
          older_than: Seconds that a task's messages are left to the worker that made them.

        Raises:
          BrokerConnectionError: The broker is away; what it had confirmed before is deleted.
          Deferred: The journal is away.
        """
        run, after = _Run(older_than), 0
        try:
            while page := self._claim(run, after):
                after = self._send_page(run, page)
        finally:
            if os.getpid() == self._pid:  # else this is a greenlet's copy in a forked child
                with suppress(Deferred):
                    self._journal.released(self._claimant)
        return run.relayed

    def _claim(self, run: _Run, after: int) -> list[OutboxMessage]:
        return self._journal.claim_outbox(
            claimant=self._claimant, limit=PAGE, after=after, older_than=run.older_than, lease=self._lease
        )

    def _send_page(self, run: _Run, page: list[OutboxMessage]) -> int:
        """Publish as many as fit before the lease is renewed; return the number of the last one that was tried."""
        end = self._clock() + RENEWAL
        tried = 0
        while tried < len(page) and (tried == 0 or self._clock() < end):
            # Alone until something is confirmed: what a silent RabbitMQ is sent again and again arrives as often.
            size = PAGE if run.relayed.sent else 1
            self._send(run, page[tried : tried + size])
            tried = min(tried + size, len(page))
        return page[tried - 1].seq

    def _send(self, run: _Run, messages: list[OutboxMessage]) -> None:
        batch = [message for message in messages if message.queue_name not in run.held_queues]
        run.relayed.refused += sum(run.held_queues.get(message.queue_name, False) for message in messages)
        if not batch:
            return
        outcomes = self._publish(batch)
        confirmed = [message.seq for message, error in zip(batch, outcomes, strict=True) if error is None]
        if confirmed:
            self._journal.forwarded(confirmed)
            run.relayed.sent += len(confirmed)
        for message, error in zip(batch, outcomes, strict=True):
            if error is not None:
                self._failed(run, message, error)

    def _failed(self, run: _Run, message: OutboxMessage, error: Exception) -> None:
        queue = message.queue_name
        if not isinstance(error, OF_ONE_QUEUE):
            if isinstance(error, AWAY):
                raise error
            # It can never be published. The messages behind it still can.
            events.RELAY_REFUSED.emit(id=message.message_id, queue=queue, error=str(error))
        elif queue not in run.held_queues:
            events.RELAY_QUEUE_WAITS.emit(id=message.message_id, queue=queue, error=str(error))
            run.held_queues[queue] = isinstance(error, REFUSALS)
        if not isinstance(error, (NotConfirmed, QueueMissing)):
            run.relayed.refused += 1
            self._journal.refused(message, str(error))
