"""Stores messages that cannot be sent now in the journal of the node, and forwards them when the broker is back."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine import events
from growbin_jobs.engine.broker.errors import BrokerUnavailable, NotConfirmed
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.forwarding.relay import Publish, Relay, Relayed
from growbin_jobs.engine.threads import offload

if TYPE_CHECKING:
    from growbin_jobs.engine.journal.journal import Journal

logger = logging.getLogger(__name__)

#: Seconds between two tries while the broker is away, or while another process of this node forwards.
PAUSE = 0.5

#: Seconds until what RabbitMQ refuses is tried again.
REFUSED_PAUSE = 60.0

#: Only what producers handed in: messages of tasks are left to the workers that made them, and to the keeper.
_PRODUCERS_ONLY = math.inf


@dataclass(frozen=True, slots=True)
class StoreAndForward:
    """How a process stores messages that it cannot send.

    Attributes:
      journal: Returns the process's journal; called when a message has to be stored or forwarded.
      path: The journal's file. Where there is one, an earlier process may have left messages in it.
      patience: Seconds in which the broker confirms nothing before a message is stored.
    """

    journal: Callable[[], Journal]
    path: Path
    patience: float


class Forwarder:
    """Stores the messages that one process could not send, and forwards them in the order in which it accepted them.

    They are in the node's journal, on the disk. If this process ends before they are forwarded, the next one that sends
    from this node forwards them, or the node's keeper; one of them at a time.

    The journal is opened when a message has to be stored or forwarded, and not before.

    Parameters:
      store_and_forward: Where and when to store.
      publish: Hands messages to the broker (:class:`growbin_jobs.engine.forwarding.relay.Relay`).
      patience: Seconds that ``publish`` takes at most.

    Attributes:
      pending: While it is True, a new message is stored behind those that wait.
    """

    def __init__(self, store_and_forward: StoreAndForward, publish: Publish, patience: float) -> None:
        self._store_and_forward = store_and_forward
        self._publish = publish
        self._patience = patience
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._idle = threading.Event()
        self._idle.set()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._accepted = 0
        self._abandoned = False
        self.pending = False

    def send(self, message: OutboxMessage, publish: Callable[[float, float], None], timeout: float) -> None:
        """Publish a message, or store it; it is durable when this returns.

        Parameters:
          publish: Publishes it and waits for the confirm: so many seconds at most, and so many of silence.
          timeout: Seconds to wait for the broker if the message cannot be stored.

        Raises:
          BrokerUnavailable: It was neither sent nor stored; the text says why.
          NotConfirmed: It was not stored, and may or may not have arrived.
          Exception: As ``publish``, where waiting is no use.
        """
        end = time.monotonic() + timeout
        if self.pending and self._store(message) is None:
            return
        try:
            publish(timeout, self._store_and_forward.patience)
        except (BrokerUnavailable, NotConfirmed) as first:
            trouble = self._store(message)
            if trouble is None:
                return
            try:
                publish(end - time.monotonic(), math.inf)
            except (BrokerUnavailable, NotConfirmed) as last:
                # One of two tries may have arrived, even if the last one has not.
                error = first if isinstance(first, NotConfirmed) else last
                raise type(error)(f"{error} Nor could it be kept to be sent later: {trouble}") from last

    def forward_leftovers(self) -> None:
        """Forward messages that an earlier process of this node has left, if there are any."""
        if self._store_and_forward.path.exists():
            self._start()

    def stop(self, timeout: float) -> None:
        """Wait until what is stored is forwarded, for some seconds, then stop. What is left stays in the journal.

        A script that sends one message a day must not leave it to the script of the next day.

        Parameters:
          timeout: Seconds to wait for the broker.
        """
        self._idle.wait(timeout)
        self._stopping.set()
        self._woken.set()

    def join(self, timeout: float) -> None:
        """Wait until the lease is free for the next process; after :meth:`stop`, with the connections closed."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def abandon(self) -> None:
        """Stop, in a forked child under gevent, where this forwarder's greenlet lives on."""
        self._abandoned = True

    def _store(self, message: OutboxMessage) -> Exception | None:
        """Store a message. Return why that is not possible, or None: then it is on the disk and will be sent."""
        crashpoint("producer.accept.before")
        try:
            self._store_and_forward.journal().accept(message, message.body.decode("utf-8", "replace"))
        except Exception as error:  # whatever is wrong with this node, the broker may be back soon
            events.NOT_KEPT.emit(id=message.message_id, queue=message.queue_name, error=str(error))
            return error
        crashpoint("producer.accept.after")
        events.KEPT.emit(id=message.message_id, queue=message.queue_name)
        with self._lock:
            self._accepted += 1
            if not self.pending:
                events.KEEPING.emit(file=str(self._store_and_forward.path))
                self.pending = True
            self._idle.clear()
        self._woken.set()
        self._start()
        return None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._idle.clear()
                thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
                thread.start()
                self._thread = thread  # where it could not start the next message tries again

    # --- in its thread, which ends when nothing waits any more

    def _run(self) -> None:
        from growbin_jobs.engine.journal.tables.reader import (
            holds_messages,  # with SQLite, which most producers never need
        )

        if not self._accepted and not offload(holds_messages, self._store_and_forward.path) and self._ended(0):
            return
        while not (self._stopping.is_set() or self._abandoned):
            self._woken.clear()
            accepted = self._accepted
            refused = self._forward()
            if refused is None:
                self._stopping.wait(PAUSE)
            elif self._ended(accepted, refused):
                return
            elif refused:
                self._woken.wait(REFUSED_PAUSE)

    def _ended(self, accepted: int, refused: int = 0) -> bool:
        """Let messages go straight to the broker again, unless one was stored meanwhile. Return True to end."""
        with self._lock:
            if accepted != self._accepted:
                return False
            self.pending = False
            self._idle.set()
            if not refused:
                self._thread = None
            return not refused

    def _forward(self) -> int | None:
        """Forward what is stored; return how many messages are refused, or None while others have to wait."""
        try:
            relayed = self._relay()
            waiting = self._store_and_forward.journal().backlog() - relayed.refused
        except (BrokerConnectionError, Deferred) as error:
            events.FORWARDER_WAITS.emit(error=str(error))
            return None
        except Exception:  # a bug; what is stored must not stay here for ever because of it
            logger.exception("forwarder.failed")
            return None
        if relayed.sent:
            events.FORWARDED.emit(messages=relayed.sent)
        return None if waiting > 0 else relayed.refused

    def _relay(self) -> Relayed:
        journal = self._store_and_forward.journal()
        claimant = f"{journal.worker}/forwarder"
        return Relay(journal, self._published, claimant=claimant, patience=self._patience).run(_PRODUCERS_ONLY)

    def _published(self, messages: Sequence[OutboxMessage]) -> Sequence[Exception | None]:
        if self._abandoned:
            raise BrokerUnavailable("This process was forked.")
        return self._publish(messages)
