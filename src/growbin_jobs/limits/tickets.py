"""A ticket is for one HTTP request, and good for a quarter of a second: whoever was held up takes a new one.

Who must wait for it waits in place, in a line of its process, and is charged only shortly before its start. So a hold,
a limit that is changed and a process that dies concern no more than the next few requests. The last moments before the
start are for connecting: the rest of the wait comes when the first byte is about to be written.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from growbin_jobs.errors import Deferred
from growbin_jobs.limit_names import USER
from growbin_jobs.limits.asking import Asked, Asking, Ticket, Wish
from growbin_jobs.limits.lines import Lines, Place, Wakeup
from growbin_jobs.limits.parameters import SPREAD
from growbin_jobs.limits.port import Grants
from growbin_jobs.limits.rooms import OutsideWorker, Room
from growbin_jobs.limits.shares import Shares

#: Times that a ticket which went stale is replaced before the message waits instead.
RENEWALS: Final = 3

#: Seconds before its start at which a caller gets its ticket, to look at the breaker and to connect meanwhile.
LEAD: Final = 0.4

#: Seconds that a caller waits whose ticket went stale while it connected.
_AGAIN: Final = 20.0

#: Limits of one user: their wait is no reason to keep a thread for longer than so many seconds.
_PERSONAL_WAIT: Final = 5.0


class Gate:
    """Takes a ticket before each HTTP request.

    Parameters:
      store: The limits.
      room: Where callers wait.
      shares: What classes are owed; None: the first one may take all.
      patience: Seconds that a caller waits in place for its start; longer waits are the queue's.
      validity: Seconds that a ticket is good for, measured from before the store was asked.
      leaves_when_away: Asked when the store is away: whether callers leave with its error instead of waiting here.
      clock: Monotonic seconds.
      sleep: Waits so many seconds.
    """

    def __init__(
        self,
        store: Grants,
        room: Room | None = None,
        *,
        shares: Shares | None = None,
        patience: float = 600.0,
        validity: float = SPREAD,
        leaves_when_away: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._leaves_when_away = leaves_when_away
        self._store = store
        self._room = OutsideWorker() if room is None else room
        self._asking = Asking(store, shares, validity=validity, clock=clock)
        self._patience = patience
        self._clock = clock
        self._lines = Lines()

    def ticket(self, wish: Wish, *, again: bool = False) -> Ticket:
        """Return a ticket that is good now, or in a moment: :meth:`begin` waits for that.

        Parameters:
          wish: What for.
          again: Instead of one that went stale: its caller stands first in the line, and waits for seconds only.

        Raises:
          Deferred: A limit is used up, or the store is away, for longer than the patience; nothing was taken.
          WorkerStopping: The worker stops.
          Permanent, ConfigurationError: See :meth:`LimitStore.take`.
        """
        with self._lines.joined((wish.of.name, *sorted(wish.costs)), first=again) as place:
            # Whoever comes again has a connection open that the server does not keep for ever.
            since = self._clock() - (max(0.0, self._patience - _AGAIN) if again else 0.0)
            asked = self._asking.ask(wish, since) if place.is_first else None
            if asked is not None and asked.ticket is not None and asked.wait <= 0:
                self._room.no_wait()
                return asked.ticket
            with self._room.waiting(wish.of.threads) as wakeup:
                place.wakeup = wakeup
                return self._wait(wish, place, wakeup, since, asked)

    def begin(self, ticket: Ticket) -> bool:
        """Wait for the start of a ticket; return whether it is good then. What is not was given back."""
        if (left := ticket.start - self._clock()) > 0:
            self._sleep(left)
        if not ticket.is_stale:
            return True
        with suppress(Deferred):  # what cannot be given back is one request that nobody sends
            self.give_back(ticket)
        return False

    def give_back(self, ticket: Ticket) -> bool:
        """Return a ticket whose request was not sent; see :meth:`LimitStore.give_back`."""
        return self._store.give_back(ticket.answer.charges)

    def _wait(self, wish: Wish, place: Place, wakeup: Wakeup, since: float, asked: Asked | None) -> Ticket:
        renewals = 0
        while True:
            while not place.is_first:
                self._check_patience(since, 0.0, "Others of this process wait before it.")
                wakeup.wait(since + self._patience - self._clock())
            asked = asked or self._asking.ask(wish, since)
            if asked.ticket is None:
                self._be_patient(asked, since)
                wakeup.wait(asked.wait)
            elif self._comes_in_time(asked.ticket, place, wakeup):
                return asked.ticket
            else:
                renewals += 1
                if renewals == RENEWALS:
                    raise Deferred("This process is too busy to send at its turn.", wait=2.0, capacity=True)
                place.come_back()
            asked = None

    def _comes_in_time(self, ticket: Ticket, place: Place, wakeup: Wakeup) -> bool:
        """Wait until shortly before a ticket's start while the next one of the line asks; False if it went stale."""
        place.leave()
        try:
            while (left := ticket.start - LEAD - self._clock()) > 0:
                wakeup.wait(left)
            if not ticket.is_stale:
                return True
        except BaseException:
            with suppress(Deferred):
                self.give_back(ticket)
            raise
        with suppress(Deferred):
            self.give_back(ticket)
        return False

    def _be_patient(self, asked: Asked, since: float) -> None:
        """Let the message go whose wait is too long for a thread, or that need not wait for the store."""
        if asked.away is not None and self._leaves_when_away():
            raise asked.away
        if asked.limit.startswith(USER) and asked.slot > _PERSONAL_WAIT:
            raise Deferred(asked.reason, wait=asked.slot, capacity=True)
        self._check_patience(since, asked.slot, asked.reason)

    def _check_patience(self, since: float, slot: float, reason: str) -> None:
        if self._clock() - since + slot > self._patience:
            raise Deferred(reason, wait=max(slot, 1.0), capacity=True, pauses_queue=True)
