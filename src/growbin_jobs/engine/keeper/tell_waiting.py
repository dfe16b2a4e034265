"""The keeper's job that tells the central database of messages which wait in the embedded broker's file.

A producer's message is in no journal until a worker starts it. The file has all of them; RabbitMQ's queues cannot be
read without taking the messages out, so there a producer tells of its message itself
(:mod:`growbin_jobs.engine.central.first_messages`), or it is known from its start on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from growbin_jobs.engine.central import sent_copy
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.delivery.codec import Undecodable, decode
from growbin_jobs.engine.delivery.endings import LATEST
from growbin_jobs.engine.errors import Permanent
from growbin_jobs.engine.journal.tables.sent import SentMessage

#: Milliseconds between sending and the due time of a message whose sender has asked for a delay, at least.
DELAYED = 1000

#: Messages of one transaction, and transactions of one run at most.
PAGE, PAGES = 1000, 10


@dataclass(slots=True)
class TellWaiting:
    """Add a pending row for each message that waits and that nobody has told of yet.

    Attributes:
      node: Of this keeper.
      waiting: Such as ``EmbeddedBroker.waiting``.
      clock: Seconds since 1970, UTC.
    """

    node: str
    database: Database
    waiting: Callable[..., list[tuple[int, str, int, bytes]]]
    clock: Callable[[], float] = time.time
    _after: int = field(default=0, init=False)

    def run_once(self) -> int:
        """Tell of those that have come since the last run and still wait; return how many.

        Raises:
          Deferred, BrokerConnectionError: The database or the broker's file is away.
        """
        told = 0
        for _ in range(PAGES):
            page = self.waiting(self._after, limit=PAGE)
            messages = [message for message in map(self._message, page) if message is not None]
            if messages:
                self._tell(messages)
            told += len(messages)
            self._after = page[-1][0] if page else self._after
            if len(page) < PAGE:
                break
        return told

    def _tell(self, messages: list[SentMessage]) -> None:
        dialect, at = self.database.dialect, datetime.fromtimestamp(self.clock(), UTC)
        try:
            self.database.transaction(
                lambda connection: sent_copy.absorb(connection, dialect, messages, {}, node=self.node, at=at)
            )
        except (Permanent, ValueError, OverflowError):
            if len(messages) == 1:  # it is told of when it starts, and then its journal says what is wrong with it
                return
            middle = len(messages) // 2
            self._tell(messages[:middle])
            self._tell(messages[middle:])

    def _message(self, row: tuple[int, str, int, bytes]) -> SentMessage | None:
        seq, queue, due, body = row
        try:
            message: Any = decode(body, queue)
        except Undecodable:
            return None
        sent_at = message.message_timestamp if 0 <= message.message_timestamp <= LATEST else self.clock() * 1000
        return SentMessage(
            seq=seq, message_id=message.message_id, parent_id=None, task_name=message.actor_name, queue_name=queue,
            body=body, due_at=due / 1000 if due > sent_at + DELAYED else None, created_at=sent_at / 1000,
        )  # fmt: skip
