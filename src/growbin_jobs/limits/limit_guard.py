"""The guard that lets a model request pass when all its limits agree, after a wait in place."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Final, Protocol

from growbin_jobs.adapters.llm.estimate import TokenRatio
from growbin_jobs.adapters.llm.guards import Held, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Deferred
from growbin_jobs.limits.asking import Ticket, Wish
from growbin_jobs.limits.classes import class_of
from growbin_jobs.limits.named import NamedLimit, NamedLimits, costs
from growbin_jobs.limits.tickets import RENEWALS, Gate


class Running(Protocol):
    """The message for which a request is sent."""

    @property
    def queue(self) -> str:
        """Its queue."""

    @property
    def retries(self) -> int:
        """How often it was retried."""


class LimitGuard:
    """See :class:`growbin_jobs.adapters.llm.guards.Guard`. It is asked late: its ticket is good for a moment.

    Parameters:
      gate: Where tickets are taken.
      limits: Which limits a request takes.
      make: Makes limits in the store that it has not made yet.
      running: Returns the message that the caller runs, or None.
      bulk: Queues whose messages have time.
    """

    def __init__(
        self,
        gate: Gate,
        limits: NamedLimits,
        make: Callable[[Iterable[NamedLimit]], object],
        *,
        running: Callable[[], Running | None] = lambda: None,
        bulk: Collection[str] = (),
    ) -> None:
        self._gate = gate
        self._limits = limits
        self._make = make
        self._running = running
        self._bulk = frozenset(bulk)
        self._ratios: dict[str, TokenRatio] = defaultdict(TokenRatio)

    def admit(self, request: PlannedRequest) -> Held:
        """Wait in place until the request may be sent, in a moment.

        Raises:
          Deferred: That takes longer than the patience; the message comes back for it.
          Permanent: ``model_request_too_large``: a limit is smaller than the request.
        """
        needed = self._limits.needed(request)
        if not needed:
            return _NOTHING
        ratio, running = self._ratios[request.purpose], self._running()
        of = class_of(
            request.purpose,
            retries=running.retries if running else 0,
            bulk=running is not None and running.queue in self._bulk,
        )
        units = costs(request, self._limits, input_tokens=ratio.corrected(request.input_tokens))
        return _HeldTicket(self._gate, Wish(units, of, lambda: self._make(needed)), ratio, request.input_tokens)


class _HeldTicket:
    def __init__(self, gate: Gate, wish: Wish, ratio: TokenRatio, estimate: int) -> None:
        self._gate = gate
        self._wish = wish
        self._ratio = ratio
        self._estimate = estimate
        self._ticket: Ticket | None = gate.ticket(wish)

    def begin(self) -> None:
        """See :class:`growbin_jobs.adapters.llm.guards.Beginning`: wait for the start; a stale ticket is replaced."""
        for _ in range(RENEWALS):
            if self._ticket is None or self._gate.begin(self._ticket):
                return
            self._ticket = None
            self._ticket = self._gate.ticket(self._wish, again=True)
        raise Deferred("This process is too busy to send at its turn.", wait=2.0, capacity=True)

    def release(self) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            with suppress(Deferred):  # what cannot be given back is one request that nobody sends
                self._gate.give_back(ticket)

    def settle(self, record: ModelRequest, failure: BaseException | None) -> None:  # noqa: ARG002
        if record.usage is not None:
            self._ratio.learn(self._estimate, record.usage.prompt)


class _Nothing:
    """A request that nothing limits."""

    def release(self) -> None:
        """Do nothing."""

    def settle(self, record: ModelRequest, failure: BaseException | None) -> None:
        """Do nothing."""


_NOTHING: Final = _Nothing()
