"""A ticket is for one HTTP request, and good for a second: whoever was held up takes a new one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from growbin_jobs.errors import Deferred
from growbin_jobs.limits.parameters import SPREAD
from growbin_jobs.limits.port import Answer, LimitStore

#: Times that a ticket which went stale is replaced before the message waits instead.
RENEWALS = 3


@dataclass(slots=True)
class Ticket:
    """Permission to send one HTTP request now.

    Attributes:
      answer: What the store granted.
      expires: On the monotonic clock of this process; a request must have been sent before.
    """

    answer: Answer
    expires: float
    _clock: Callable[[], float] = field(repr=False)

    @property
    def is_stale(self) -> bool:
        """Whether it can no longer be used: the process was paused, or a connection took too long."""
        return self._clock() > self.expires


class Gate:
    """Takes a ticket before each HTTP request.

    Parameters:
      store: The limits.
      patience: Seconds that a caller waits here for its start; longer waits are the queue's.
      validity: Seconds that a ticket is good for, measured from before the store was asked.
      clock: Monotonic seconds.
      sleep: Waits so many seconds.
    """

    def __init__(
        self,
        store: LimitStore,
        *,
        patience: float = 2.0,
        validity: float = SPREAD,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._patience = patience
        self._validity = validity
        self._clock = clock
        self._sleep = sleep

    def ticket(self, costs: Mapping[str, float]) -> Ticket:
        """Return a ticket that is good now.

        Parameters:
          costs: Units by the limit's name.

        Raises:
          Deferred: A limit is used up for longer than the patience; it names the limit, and nothing was taken.
          Permanent, ConfigurationError: See :meth:`LimitStore.take`.
        """
        for _ in range(RENEWALS):
            asked = self._clock()
            answer = self._store.take(costs, patience=self._patience)
            wait = answer.decision.wait
            if not answer.decision.granted:
                raise Deferred(f"The limit {answer.decision.limit} is used up for {wait:.0f} s.", wait=wait)
            # The store decided after it was asked, so the start lies between asked + wait and now + wait.
            ticket = Ticket(answer, asked + wait + self._validity, self._clock)
            if wait > 0:
                self._sleep(max(0.0, wait))
            if not ticket.is_stale:
                return ticket
            self._store.give_back(answer.charges)
        raise Deferred("This process is too busy to send within a second of its turn.", wait=self._patience)

    def give_back(self, ticket: Ticket) -> bool:
        """Return a ticket whose request was not sent; see :meth:`LimitStore.give_back`."""
        return self._store.give_back(ticket.answer.charges)
