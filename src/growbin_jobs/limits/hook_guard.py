"""A hook whose receiver may say that it is gone (410): from then on nothing is sent there until a person wants it.

As Standard Webhooks has it. One message is posted an hour all the same, in place of the one that would be sent then: a
receiver that answered so by mistake gets messages again without anybody's help.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from growbin_jobs.adapters.webhooks.posting import GONE, Posted
from growbin_jobs.limits.breaker_failures import Failure
from growbin_jobs.limits.breaker_guard import tell_opened
from growbin_jobs.limits.breaker_store import BreakerStore

#: Seconds between two messages to a receiver that said that it is gone.
ASKED_EACH: Final = 3600.0


class HookGuard:
    """Posts messages to one receiver behind a breaker that an answer of 410 opens, and nothing else.

    Parameters:
      breakers: Of the cluster.
      name: The breaker's.
      post: Posts a body under an id.
      clock: Monotonic seconds.
    """

    def __init__(
        self,
        breakers: BreakerStore,
        name: str,
        post: Callable[[str, bytes], Posted],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._breakers = breakers
        self._name = name
        self._post = post
        self._clock = clock

    def post(self, message_id: str, body: bytes) -> Posted:
        """Post a message; :data:`~growbin_jobs.adapters.webhooks.posting.GONE` where the receiver is known to be gone.

        Raises:
          Deferred: The database is away.
          ValueError: The secret is none.
        """
        admission = self._breakers.admit(self._name)
        if admission.wait > 0:
            return GONE
        began = self._clock()
        try:
            posted = self._post(message_id, body)
        except BaseException:
            if admission.probe is not None:
                self._breakers.unused(self._name, probe=admission.probe)
            raise
        age = self._clock() - began
        if posted.status == GONE.status:
            gone = Failure("hook_gone", age, asked_wait=ASKED_EACH, probe=admission.probe, sure=True)
            noted = self._breakers.failed(self._name, gone)
            if noted.opened:
                tell_opened(noted.breaker, noted.wait)
        elif admission.probe is not None and posted.problem is None:
            self._breakers.succeeded(self._name, age=age, probe=admission.probe)
        elif admission.probe is not None:
            self._breakers.unused(self._name, probe=admission.probe)
        return posted
