"""A message that is being published to RabbitMQ, with the outcome."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from growbin_jobs.engine.broker.rabbitmq.completion import Completion
from growbin_jobs.engine.delivery.admission import check_size


@dataclass(eq=False, slots=True)
class Publication:
    """One message on its way to a queue.

    Attributes:
      queue: The queue's name on the server.
      body: The encoded message.
      message_id: For people who look into a queue, and to recognise a returned message.
      priority: The broker's priority, where the queue has one.
      headers: What it needs on its way (:mod:`growbin_jobs.engine.broker.rabbitmq.delays`).
      confirmed: Done when the broker has it; an error says what is known.
      sent: True once it was written to a connection: from then on it may have arrived.
      returned: True when the broker had no queue for it, as told just before its confirm.
    """

    queue: str
    body: bytes
    message_id: str
    priority: int | None = None
    headers: dict[str, Any] | None = None
    confirmed: Completion = field(default_factory=Future[None])
    sent: bool = False
    returned: bool = False

    def __post_init__(self) -> None:
        check_size(self.body)
