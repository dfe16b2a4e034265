"""Sends messages of the outbox to their webhooks: signed, to allowed addresses only, again until they are there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from growbin_jobs.adapters.probing.probe import Prober
from growbin_jobs.adapters.webhooks.posting import GONE, TIMEOUT, Posted, post
from growbin_jobs.alerts.deliveries import LEASE, Deliveries, Delivery
from growbin_jobs.alerts.webhooks import Webhook, Webhooks
from growbin_jobs.engine.backoff import pause_after
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.models.audit import Audit, AuditEntry

logger = logging.getLogger(__name__)

#: Seconds after the first failure until the next try; they double up to a quarter of an hour.
FIRST_PAUSE, LAST_PAUSE = 5.0, 900.0

#: Who has paused a webhook whose receiver answered that it is gone.
RECEIVER_GONE: Final = "410 Gone"

#: Messages of one run at most.
MOST: Final = 20


@dataclass(frozen=True, slots=True)
class SendWebhooks:
    """The job. Every keeper does it; each message is sent by one at a time, under a lease.

    Attributes:
      database: The central one.
      worker: Name of this process, which no other one has.
      prober: Sends requests.
      secret_of: Returns the secret of a reference; raises ConfigurationError.
      timeout: Seconds for one try; less than the lease.
    """

    database: Database
    worker: str
    prober: Prober
    secret_of: Callable[[str], str]
    timeout: float = TIMEOUT

    def run_once(self) -> dict[str, int]:
        """Send what is due.

        Raises:
          Deferred: The database is away. What was sent then is sent once more, under the same id.
        """
        assert self.timeout < LEASE
        deliveries, hooks, done = Deliveries(self.database), Webhooks(self.database), {"delivered": 0, "failed": 0}
        for _ in range(MOST):
            delivery = deliveries.claim(self.worker)
            if delivery is None:
                break
            hook = next((each for each in hooks.all() if each.id == delivery.webhook_id), None)
            if hook is not None:  # else it was removed meanwhile
                done[self._send(deliveries, hook, delivery)] += 1
        return {word: count for word, count in done.items() if count}

    def any_waiting(self) -> bool:
        """Return whether something is to be sent, now or later.

        Raises:
          Deferred: The database is away.
        """
        return Deliveries(self.database).any_waiting()

    def _send(self, deliveries: Deliveries, hook: Webhook, delivery: Delivery) -> str:
        posted = self._post(hook, delivery)
        if posted.problem is None and posted.status is not None:
            deliveries.delivered(delivery, status=posted.status)
            return "delivered"
        if posted.status == GONE.status:
            self._stop_telling(deliveries, hook, delivery, posted)
            return "failed"
        pause = pause_after(delivery.tries, FIRST_PAUSE, LAST_PAUSE)
        deliveries.failed(delivery, status=posted.status, problem=posted.problem or "", pause=pause)
        return "failed"

    def _stop_telling(self, deliveries: Deliveries, hook: Webhook, delivery: Delivery, posted: Posted) -> None:
        """Pause a webhook whose receiver is gone, as Standard Webhooks has it: a person resumes or removes it."""
        logger.warning("webhook.gone name=%s place=%s it is paused until a person resumes it", hook.name, hook.place)
        details = {"why": posted.problem}
        entry = AuditEntry(who="keeper", action="webhook.paused", target=hook.name, details=details)
        Audit(self.database).append(entry)
        Webhooks(self.database).pause(hook, by=RECEIVER_GONE)
        deliveries.gone(delivery, status=posted.status, problem=posted.problem or "")

    def _post(self, hook: Webhook, delivery: Delivery) -> Posted:
        body = delivery.body.encode()
        try:
            secret = self.secret_of(hook.secret_ref)
            return post(self.prober, hook.url, delivery.id, body, secret, seconds=self.timeout)
        except (ConfigurationError, ValueError) as error:
            return Posted(None, str(error))
