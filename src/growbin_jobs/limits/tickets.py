"""A ticket is for one HTTP request, and good for a quarter of a second: whoever was held up takes a new one.

Who must wait for it waits in place, in a line of its process, and is charged only shortly before its start. So a hold,
a limit that is changed and a process that dies concern no more than the next few requests. The last moments before the
start are for connecting: the rest of the wait comes when the first byte is about to be written.
"""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from growbin_jobs.errors import Deferred
from growbin_jobs.limit_names import USER
from growbin_jobs.limits.classes import INTERACTIVE, OWED_REACH, RequestClass
from growbin_jobs.limits.lines import Lines, Place, Wakeup
from growbin_jobs.limits.parameters import SPREAD
from growbin_jobs.limits.port import Answer, Grants
from growbin_jobs.limits.rooms import OutsideWorker, Room
from growbin_jobs.limits.shares import Shares

#: Times that a ticket which went stale is replaced before the message waits instead.
RENEWALS: Final = 3

#: Seconds between two questions to the store: at least, and at most. The limit may be changed meanwhile.
_SHORTEST: Final = 0.02
_LONGEST: Final = 10.0

#: Most seconds by which a question comes later than it could: who asks at the same moment has the same chance, however
#: far from the database.
_JITTER: Final = 0.2

#: Seconds before its start at which a caller gets its ticket, to look at the breaker and to connect meanwhile.
LEAD: Final = 0.4

#: Seconds that a caller waits whose ticket went stale while it connected.
_AGAIN: Final = 20.0

#: Limits of one user: their wait is no reason to keep a thread for longer than so many seconds.
_PERSONAL_WAIT: Final = 5.0


@dataclass(slots=True)
class Ticket:
    """Permission to send one HTTP request.

    Attributes:
      answer: What the store granted.
      start: On the monotonic clock of this process; no request may be sent before.
      expires: On the same clock; it must have been sent before.
    """

    answer: Answer
    start: float
    expires: float
    _clock: Callable[[], float] = field(repr=False)

    @property
    def is_stale(self) -> bool:
        """Whether it can no longer be used: the process was paused, or a connection took too long."""
        return self._clock() > self.expires


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants a ticket for.

    Attributes:
      costs: Units by the limit's name.
      of: The request's class.
      before: Called before each question to the store; it makes limits that are missing.
    """

    costs: Mapping[str, float]
    of: RequestClass = INTERACTIVE
    before: Callable[[], object] = field(default=lambda: None, repr=False)


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
        self._shares = shares
        self._patience = patience
        self._validity = validity
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
            asked = self._ask(wish, since) if place.is_first else None
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

    def _wait(self, wish: Wish, place: Place, wakeup: Wakeup, since: float, asked: "_Asked | None") -> Ticket:
        renewals = 0
        while True:
            while not place.is_first:
                self._check_patience(since, 0.0, "Others of this process wait before it.")
                wakeup.wait(since + self._patience - self._clock())
            asked = asked or self._ask(wish, since)
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

    def _ask(self, wish: Wish, since: float) -> "_Asked":
        asked_at = self._clock()
        reach = wish.of.reach_after(asked_at - since)
        try:
            wish.before()
            answer, pause = self._take(wish, reach)
        except Deferred as away:
            return _Asked(max(away.wait, 1.0), str(away), slot=away.wait, away=away)
        wait, limit = answer.decision.wait, answer.decision.limit
        if answer.decision.granted:
            # The store decided after it was asked, so the start lies between asked_at + wait and now + wait.
            ticket = Ticket(answer, self._clock() + wait, asked_at + wait + self._validity, self._clock)
            return _Asked(wait, limit, ticket=ticket)
        late = random.uniform(0.0, min(_JITTER, reach / 2))  # noqa: S311
        pause = min(max(pause, _SHORTEST) + late, _LONGEST)
        return _Asked(pause, f"The limit {limit} is used up for {wait:.0f} s.", slot=wait, limit=limit)

    def _take(self, wish: Wish, reach: float) -> tuple[Answer, float]:
        """Ask the store; return its answer, and the seconds until it may be another one."""
        shares = self._shares
        if shares is None or not shares.is_owed(wish.of, wish.costs):
            answer = self._store.take(wish.costs, patience=reach)
            pause = answer.decision.wait - reach
            return answer, min(pause, shares.next_due(wish.of, wish.costs)) if shares else pause
        answer = self._store.take(wish.costs, patience=OWED_REACH)
        if answer.decision.granted:
            shares.used(wish.of, wish.costs)
        return answer, answer.decision.wait - OWED_REACH

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

    def _be_patient(self, asked: "_Asked", since: float) -> None:
        """Let the message go whose wait is too long for a thread, or that need not wait for the store."""
        if asked.away is not None and self._leaves_when_away():
            raise asked.away
        if asked.limit.startswith(USER) and asked.slot > _PERSONAL_WAIT:
            raise Deferred(asked.reason, wait=asked.slot, capacity=True)
        self._check_patience(since, asked.slot, asked.reason)

    def _check_patience(self, since: float, slot: float, reason: str) -> None:
        if self._clock() - since + slot > self._patience:
            raise Deferred(reason, wait=max(slot, 1.0), capacity=True, pauses_queue=True)


@dataclass(slots=True)
class _Asked:
    """What came of a question to the store.

    Attributes:
      wait: Seconds until the ticket's start, or until the next question.
      reason: Why there is no ticket.
      ticket: What was granted.
      slot: Seconds until the request could start.
      limit: That decides; empty where the store is away.
      away: What it said then.
    """

    wait: float
    reason: str
    ticket: Ticket | None = None
    slot: float = 0.0
    limit: str = ""
    away: Deferred | None = None
