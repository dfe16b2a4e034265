"""Store and forward: what cannot be sent now is kept in the sender's journal and sent when the broker is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.crashpoints import crashpoint
from growbin_jobs.errors import Deferred
from growbin_jobs.journal import outbox
from growbin_jobs.journal.records import Owed

if TYPE_CHECKING:
    from growbin_jobs.journal.journal import Journal

logger = logging.getLogger(__name__)

#: Seconds between two tries while the broker is away, or while another process of this node forwards.
PAUSE = 0.5

#: Messages of tasks are left to the workers that made them, and to the keeper.
_NO_TASKS = 1e9


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a process keeps what it cannot send.

    Attributes:
      journal: Returns the process's journal; called when something has to be kept or forwarded.
      path: The journal's file. Where there is one, an earlier process may have left something in it.
      patience: Seconds to wait for the broker before a message is kept.
    """

    journal: Callable[[], Journal]
    path: Path
    patience: float


class Forwarder:
    """Keeps what a process could not send, and forwards it in the order in which it was accepted.

    What is kept is in the node's journal, on the disk. If this process dies, the next one that sends from this node
    forwards it, or the node's keeper; only one of them at a time.

    Parameters:
      journal: Returns the process's journal; called when something has to be kept.
      send: Hands one message to the broker and returns once it is confirmed; raises ``BrokerConnectionError`` while
        the broker is away.

    Attributes:
      pending: While it is True, a new message must be kept behind those that wait.
    """

    def __init__(self, journal: Callable[[], Journal], send: Callable[[Owed], None]) -> None:
        self._journal = journal
        self._send = send
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self.pending = False

    def accept(self, message: Owed) -> bool:
        """Keep a message; when this returns True it is on the disk and will be sent.

        Returns:
          False if this node cannot keep it: there is no journal that can be written.
        """
        self.pending = True
        crashpoint("producer.accept.before")
        try:
            self._journal().accept(message, message.body.decode("utf-8", "replace"))
        except (Deferred, OSError) as error:
            logger.warning("message.not_kept id=%s queue=%s error=%s", message.message_id, message.queue_name, error)
            self.start()
            return False
        crashpoint("producer.accept.after")
        logger.warning("message.kept id=%s queue=%s until the broker is back", message.message_id, message.queue_name)
        self.pending = True  # the thread may have ended since the first time
        self.start()
        return True

    def start(self) -> None:
        """Forward what waits, in a thread of its own, which ends when nothing does."""
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
                self._thread.start()

    def close(self, timeout: float) -> None:
        """Give what waits a last chance, and stop. May be called again.

        Parameters:
          timeout: Seconds.
        """
        thread = self._thread
        if thread is not None and self.pending:
            thread.join(timeout)
        self._stopping.set()
        if thread is not None:
            thread.join(PAUSE)

    def _run(self) -> None:
        refused: set[int] = set()
        while not self._stopping.is_set():
            self.pending = False  # before the look: whoever accepts from now on says so again
            try:
                done = self.forward(refused)
            except (Deferred, OSError) as error:
                logger.warning("forwarder.journal_away error=%s", error)
                done = False
            self.pending = self.pending or not done
            with self._lock:
                if not self.pending:
                    self._thread = None
                    return
            if not done:
                self._stopping.wait(PAUSE)

    def forward(self, refused: set[int]) -> bool:
        """Send what waits, in order, until the broker is away.

        Parameters:
          refused: Numbers of messages that the broker will never take; more may be added.

        Returns:
          True if nothing waits any more.
        """
        journal = self._journal()
        claimant = f"{journal.worker}/forwarder"
        after = 0
        try:
            while page := journal.owed(claimant=claimant, limit=100, after=after, older_than=_NO_TASKS):
                after = page[-1].seq
                if not self._send_all(journal, page, refused):
                    return False
        finally:
            journal.released(claimant)
        return journal.backlog() <= len(refused)

    def _send_all(self, journal: Journal, page: list[Owed], refused: set[int]) -> bool:
        sent: list[int] = []
        try:
            for message in page:
                if message.seq in refused or self._stopping.is_set():
                    continue
                try:
                    self._send(message)
                except BrokerConnectionError as error:
                    logger.info("forwarder.broker_away error=%s", error)
                    return False
                except Exception:
                    logger.exception("forwarder.message_refused id=%s queue=%s", message.message_id, message.queue_name)
                    refused.add(message.seq)
                else:
                    sent.append(message.seq)
            return True
        finally:
            if sent:
                journal.write(lambda connection: outbox.paid(connection, sent))
                logger.info("forwarder.sent messages=%d", len(sent))
