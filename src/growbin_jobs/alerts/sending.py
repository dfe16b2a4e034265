"""Sends messages of the outbox to their webhooks: signed, to allowed addresses only, again until they are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from growbin_jobs.adapters.probing.probe import Answer, Prober
from growbin_jobs.alerts.deliveries import LEASE, Deliveries, Delivery
from growbin_jobs.alerts.signing import signed_headers
from growbin_jobs.alerts.webhooks import Webhook, Webhooks
from growbin_jobs.engine.backoff import pause_after
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import ConfigurationError

#: Seconds for one try: resolving, connecting, TLS, the whole answer.
TIMEOUT: Final = 10.0

#: Seconds after the first failure until the next try; they double up to a quarter of an hour.
FIRST_PAUSE, LAST_PAUSE = 5.0, 900.0

#: Messages of one run at most.
MOST: Final = 20

#: What went wrong, by the word of the prober.
_PROBLEMS: Final = {
    "address": "the address is none",
    "not public": "the address is not public; GROWBIN_WEBHOOK_NETWORKS allows private ones",
    "not resolved": "the name has no address",
    "not connected": "nobody answers there",
    "tls": "the certificate cannot be trusted",
    "timeout": f"no answer within {TIMEOUT:g} s",
    "broken": "the answer broke off",
}


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

    def _send(self, deliveries: Deliveries, hook: Webhook, delivery: Delivery) -> str:
        answer, problem = self._ask(hook, delivery)
        if problem is None and answer is not None and answer.http_status is not None:
            deliveries.delivered(delivery, status=answer.http_status)
            return "delivered"
        pause = pause_after(delivery.tries, FIRST_PAUSE, LAST_PAUSE)
        status = answer.http_status if answer is not None else None
        deliveries.failed(delivery, status=status, problem=problem or "", pause=pause)
        return "failed"

    def _ask(self, hook: Webhook, delivery: Delivery) -> tuple[Answer | None, str | None]:
        body = delivery.body.encode()
        try:
            headers = signed_headers(delivery.id, body, self.secret_of(hook.secret_ref))
        except (ConfigurationError, ValueError) as error:
            return None, str(error)
        headers |= {"content-type": "application/json", "user-agent": "growbin-jobs"}
        answer = self.prober.send("POST", hook.url, seconds=self.timeout, headers=headers, content=body)
        if answer.failure is not None:
            return answer, _PROBLEMS[answer.failure]
        assert answer.http_status is not None
        return answer, None if 200 <= answer.http_status < 300 else f"HTTP {answer.http_status}"
