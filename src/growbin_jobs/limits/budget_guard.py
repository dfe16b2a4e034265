"""The guard that lets a request go only where every budget has room for the most that it can cost."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.guards import Held, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Deferred, Permanent
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.afterwards import at_once
from growbin_jobs.limits.bookkeeping import SPENT
from growbin_jobs.limits.budget_caps import caps_of
from growbin_jobs.limits.budgets import TOTAL, USER, Budgets, Reserved
from growbin_jobs.limits.owed_changes import OwedChanges
from growbin_jobs.limits.prices import Prices, load_prices
from growbin_jobs.limits.usage_row import cost_of
from growbin_jobs.limits.worst_cost import WorstCost
from growbin_jobs.settings import Settings

logger = logging.getLogger(__name__)

#: Seconds that a message waits at most before it looks again: a cap may be raised, and a day ends.
LONGEST_WAIT: Final = {TOTAL: 300.0, USER: 1800.0}

#: Seconds between two looks for reservations whose process has died.
_EXPIRE_EVERY: Final = 60.0


class BudgetSpent(Deferred):
    """A budget has no room until its day ends or somebody raises its cap; the message waits and spends no retry.

    Attributes:
      budget: Its name: ``total`` stops everybody, ``user:<id>`` this user alone.
    """

    def __init__(self, budget: str, *, wait: float) -> None:
        self.budget = budget
        kind = "all requests" if budget == TOTAL else "this user"
        super().__init__(
            f"The day's budget of {kind} is spent. Raise it: growbin-jobs budgets set",
            wait=wait,
            capacity=True,
            pauses_queue=budget == TOTAL,
        )


class BudgetGuard:
    """See :class:`growbin_jobs.adapters.llm.guards.Guard`.

    Parameters:
      budgets: The books.
      prices: What requests can cost.
      zone: Of the days that prices hold from.
      exhausted: ``defer``: a message waits for the next day; ``refuse``: it is given up.
      unknown_price: ``warn``: a model without a price is asked all the same, in no budget; ``refuse``: the message
        waits until it has one.
      later: Does what no caller need wait for; see :mod:`growbin_jobs.limits.afterwards`.
      settled: Waits until that is done, and returns False where nothing was to be waited for.
    """

    def __init__(
        self,
        budgets: Budgets,
        prices: Prices,
        *,
        zone: ZoneInfo,
        exhausted: Literal["defer", "refuse"] = "defer",
        unknown_price: Literal["warn", "refuse"] = "warn",
        later: Callable[[Callable[[], object]], object] = at_once,
        settled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._budgets = budgets
        self._later = later
        self._settled = settled
        self._prices = prices
        self._worst = WorstCost(prices, zone=zone)
        self._zone = zone
        self._exhausted = exhausted
        self._unknown_price = unknown_price
        self._lock = threading.Lock()
        self._told_unpriced: set[str] = set()
        self._owed = OwedChanges()
        self._expire_at = 0.0

    def admit(self, request: PlannedRequest) -> Held:
        """Reserve the most that a request can cost; see :meth:`Guard.admit`.

        Raises:
          BudgetSpent: No room until tomorrow, or until a cap is raised.
          Permanent: ``budget_spent``, where the setting says that messages are given up then.
          Deferred: The model has no price and the setting refuses that; or the database is away.
        """
        worst = self._worst.of(request)
        if worst is None:
            self._without_price(request.model)
        if not worst:
            return _Nothing()
        self._catch_up()
        reservation, user = uuid.uuid4().hex, request.attribution.user_id
        names = [TOTAL, *([USER + user] if user else [])]
        try:
            reserved = self._budgets.reserve(reservation, names, worst)
            if reserved.refused_by is not None and self._settled():  # what our own requests have given back meanwhile
                told, reserved = reserved.told, self._budgets.reserve(reservation, names, worst)
                reserved = replace(reserved, told=(*told, *reserved.told))
        except Deferred:
            # It may have been written all the same.
            self._owed.add(lambda: self._budgets.release(reservation))
            raise
        tell(reserved)
        if reserved.covers:
            self._later(partial(self._budgets.cover, reserved))
        if reserved.refused_by is not None:
            raise self._refusal(reserved)
        return _Reservation(self, reservation, request)

    def settle(self, reservation: str, request: PlannedRequest, record: ModelRequest) -> None:
        """Book what a request has cost, and learn from it."""
        day = datetime.fromtimestamp(record.sent_at, UTC).astimezone(self._zone).date()
        cost = cost_of(record, self._prices, day)
        self._worst.learn(request, record)
        micro = None if cost is None else cost.micro_dollars
        self._later(lambda: self._owed.book(lambda: self._budgets.settle(reservation, micro, usage_id=record.id)))

    def release(self, reservation: str) -> None:
        """Give back what a request that was not sent had reserved."""
        self._later(lambda: self._owed.book(lambda: self._budgets.release(reservation)))

    def _catch_up(self) -> None:
        """Write what is owed; see to it that what died is ended.

        The database is asked anyway, so one that is away is told of by itself.
        """
        self._owed.catch_up()
        with self._lock:
            due = time.monotonic() >= self._expire_at
            if due:
                self._expire_at = time.monotonic() + _EXPIRE_EVERY
        if due:
            self._later(self._expire)

    def _expire(self) -> None:
        if expired := self._budgets.expire():
            logger.warning("budget.unknown entries=%d: their processes did not end them", expired)

    def _without_price(self, model: str) -> None:
        remedy = "Give it one (GROWBIN_PRICES_FILE), or set GROWBIN_UNKNOWN_PRICE=warn."
        with self._lock:
            first = model not in self._told_unpriced
            self._told_unpriced.add(model)
        if first:
            logger.warning("budget.no_price model=%s policy=%s: %s", model, self._unknown_price, remedy)
        if self._unknown_price == "refuse":
            wait = LONGEST_WAIT[TOTAL]
            raise Deferred(f"The model {model} has no price. {remedy}", wait=wait, capacity=True, pauses_queue=True)

    def _refusal(self, reserved: Reserved) -> Exception:
        budget = reserved.refused_by or TOTAL
        if self._exhausted == "refuse":
            return Permanent("budget_spent")
        longest = LONGEST_WAIT[TOTAL if budget == TOTAL else USER]
        return BudgetSpent(budget, wait=min(longest, reserved.seconds_left + 1))


class _Reservation:
    """What is reserved for one request."""

    def __init__(self, guard: BudgetGuard, reservation: str, request: PlannedRequest) -> None:
        self._guard = guard
        self._reservation = reservation
        self._request = request

    def release(self) -> None:
        self._guard.release(self._reservation)

    def settle(self, record: ModelRequest, failure: BaseException | None) -> None:  # noqa: ARG002
        self._guard.settle(self._reservation, self._request, record)


class _Nothing:
    """A request that costs nothing, or whose price nobody knows."""

    def release(self) -> None:
        pass

    def settle(self, record: ModelRequest, failure: BaseException | None) -> None:
        pass


def budget_guard(settings: Settings, database: Database) -> BudgetGuard:
    """Return the guard that keeps the budgets of the settings; it books in :mod:`growbin_jobs.limits.afterwards`.

    Parameters:
      settings: Caps, days and prices.
      database: The central one.
    """
    zone = ZoneInfo(settings.timezone)
    caps = caps_of(total=settings.budget_per_day, each_user=settings.budget_per_user_day)
    return BudgetGuard(
        Budgets(database, zone=zone, defaults=caps),
        load_prices(settings.prices_file),
        zone=zone,
        exhausted=settings.budget_spent,
        unknown_price=settings.unknown_price,
        later=afterwards.do,
        settled=afterwards.wait_if_busy,
    )


def tell(reserved: Reserved) -> None:
    """Log the percentages of caps that a reservation has reached."""
    for told in reserved.told:
        logger.warning(
            "budget.%s kind=%s percent=%d spent_usd=%.4f cap_usd=%.4f see=growbin-jobs budgets list",
            # Of a user the log names no more than that it is one.
            *("spent" if told.percent >= SPENT else "nearly_spent", told.name.partition(":")[0], told.percent),
            *(told.spent / 1e6, told.cap / 1e6),
        )
