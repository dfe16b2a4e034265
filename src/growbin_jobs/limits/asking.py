"""Asks the store for a ticket, as far ahead as the request's class may reach, and says what came of it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from growbin_jobs.errors import Deferred
from growbin_jobs.limits.classes import INTERACTIVE, OWED_REACH, RequestClass
from growbin_jobs.limits.port import Answer, Grants
from growbin_jobs.limits.shares import Shares

#: Seconds between two questions to the store: at least, and at most. The limit may be changed meanwhile.
_SHORTEST: Final = 0.02
_LONGEST: Final = 10.0

#: Most seconds by which a question comes later than it could: who asks at the same moment has the same chance, however
#: far from the database.
_JITTER: Final = 0.2


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


@dataclass(slots=True)
class Asked:
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


class Asking:
    """Asks for one caller at a time; who asks when is the business of the gate.

    Parameters:
      store: The limits.
      shares: What classes are owed; None: the first one may take all.
      validity: Seconds that a ticket is good for, measured from before the store was asked.
      clock: Monotonic seconds.
    """

    def __init__(self, store: Grants, shares: Shares | None, *, validity: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._shares = shares
        self._validity = validity
        self._clock = clock

    def ask(self, wish: Wish, since: float) -> Asked:
        """Ask the store for a ticket.

        Parameters:
          wish: What for.
          since: When its caller began to wait, on the monotonic clock.

        Raises:
          Permanent, ConfigurationError: See :meth:`LimitStore.take`.
        """
        asked_at = self._clock()
        reach = wish.of.reach_after(asked_at - since)
        try:
            wish.before()
            answer, pause = self._take(wish, reach)
        except Deferred as away:
            return Asked(max(away.wait, 1.0), str(away), slot=away.wait, away=away)
        wait, limit = answer.decision.wait, answer.decision.limit
        if answer.decision.granted:
            # The store decided after it was asked, so the start lies between asked_at + wait and now + wait.
            ticket = Ticket(answer, self._clock() + wait, asked_at + wait + self._validity, self._clock)
            return Asked(wait, limit, ticket=ticket)
        late = random.uniform(0.0, min(_JITTER, reach / 2))  # noqa: S311
        pause = min(max(pause, _SHORTEST) + late, _LONGEST)
        return Asked(pause, f"The limit {limit} is used up for {wait:.0f} s.", slot=wait, limit=limit)

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
