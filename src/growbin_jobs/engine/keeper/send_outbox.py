"""The keeper's job that sends what lies in the journal's outbox and nobody else has sent."""

from __future__ import annotations

from dataclasses import dataclass

from growbin_jobs.engine.forwarding.relay import Publish, Relay
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import outbox


@dataclass(frozen=True, slots=True)
class Sent:
    """How many messages the broker has confirmed."""

    messages: int

    def __bool__(self) -> bool:
        return self.messages > 0


@dataclass(frozen=True, slots=True)
class SendOutbox:
    """Send messages that producers left here, and those of tasks whose worker has not sent them.

    Attributes:
      publish: Hands a page to the broker and returns once that has it: ``forward`` of either broker.
      older_than: Seconds that a task's messages are left to the worker that made them.
    """

    journal: Journal
    publish: Publish
    older_than: float

    def run_once(self) -> Sent:
        """Send what is due.

        Raises:
          Deferred, BrokerConnectionError: The journal or the broker is away; the rest stays.
        """
        if not self.journal.read(outbox.any_row):  # a claim would write, and each write wakes who copies the journal
            return Sent(0)
        return self.send(self.older_than)

    def send(self, older_than: float) -> Sent:
        """Send all that was written more than so many seconds ago."""
        relay = Relay(self.journal, self.publish, claimant=self.journal.worker)
        return Sent(relay.run(older_than).sent)

    def waiting(self) -> int:
        """Return how many messages wait, those of tasks included."""
        return self.journal.read(outbox.count)
