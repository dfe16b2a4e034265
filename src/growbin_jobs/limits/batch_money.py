"""The money of batches: reserved for each request before the batch is made, settled by what the server counted.

A request of a batch has one id: in the batch, in the budgets' books and in ``llm_usage``. So each of these can be done
again after a crash, and is done once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.batch_totals import BatchTotals, batch_totals
from growbin_jobs.limits.budget_caps import caps_of
from growbin_jobs.limits.budget_guard import tell
from growbin_jobs.limits.budgets import TOTAL, USER, Budgets
from growbin_jobs.limits.prices import Prices, load_prices
from growbin_jobs.limits.usage import BATCH, insert
from growbin_jobs.limits.usage_row import cost_of, usage_row
from growbin_jobs.limits.worst_cost import MARGIN
from growbin_jobs.settings import Settings

#: Seconds until a reservation counts as unknown: longer than a batch can take with all outages of a weekend.
_LEASE: Final = 4 * 86_400.0

#: Rows of one INSERT.
_PAGE: Final = 200

#: What a reservation is refused by: the budget of all, that of one user, or that the model has no price.
Refusal = Literal["total", "user", "price"]


class BatchMoney:
    """Reserves and settles the money of requests in batches. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
      budgets: The books.
      prices: What requests cost.
      node: This node's name.
      zone: Of the days that money is counted by.
      refuses_unpriced: A model without a price is not asked.
      told: Called with each row of ``llm_usage``, such as to count it.
    """

    def __init__(
        self,
        database: Database,
        budgets: Budgets,
        prices: Prices,
        *,
        node: str,
        zone: ZoneInfo,
        refuses_unpriced: bool = False,
        told: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._budgets = budgets
        self._prices = prices
        self._node = node
        self._zone = zone
        self._refuses_unpriced = refuses_unpriced
        self._told = told

    def reserve(
        self, request_id: str, model: str, *, input_tokens: int, most_tokens: int, user_id: str | None
    ) -> Refusal | None:
        """Reserve the most that a request can cost in the batch tier; once, however often it is called.

        Parameters:
          request_id: Of the request.
          model: The one that is asked.
          input_tokens: Estimate of what is sent.
          most_tokens: Most tokens of the answer.
          user_id: Whose budget it takes part in.

        Returns:
          What refuses it; None: it is reserved.
        """
        today = datetime.now(self._zone).date()
        worst = self._prices.most(model, math.ceil(input_tokens * MARGIN), most_tokens, today, tiers=[BATCH])
        if worst is None:
            return "price" if self._refuses_unpriced else None
        if not worst or self._is_reserved(request_id):
            return None
        reserved = self._budgets.reserve(
            request_id, [TOTAL, *([USER + user_id] if user_id else [])], worst, lease=_LEASE
        )
        tell(reserved)
        if reserved.refused_by is None:
            return None
        return "total" if reserved.refused_by == TOTAL else "user"

    def settle(self, requests: Sequence[ModelRequest]) -> None:
        """Account for requests that the server has answered or refused: one row of ``llm_usage`` for each."""
        rows = []
        for request in requests:
            day = datetime.fromtimestamp(request.sent_at, UTC).astimezone(self._zone).date()
            cost = cost_of(request, self._prices, day)
            self._budgets.settle(request.id, None if cost is None else cost.micro_dollars, usage_id=request.id)
            rows.append(usage_row(request, self._prices, node=self._node, zone=self._zone))
        known = self._written([row["id"] for row in rows])
        for start in range(0, len(rows), _PAGE):
            insert(self._database, rows[start : start + _PAGE])
        for row in rows:
            if row["id"] not in known:
                self._told(row)

    def release(self, request_ids: Iterable[str]) -> None:
        """Give back what was reserved for requests that the server has not worked on."""
        for request_id in request_ids:
            self._budgets.release(request_id)

    def lose(self, request_ids: Iterable[str]) -> None:
        """Let what was reserved stay spent: nobody can say what these requests cost."""
        for request_id in request_ids:
            self._budgets.settle(request_id, None)

    def totals(self, batch_id: str) -> BatchTotals:
        """Return what the books say of the requests of a batch."""
        found = self._database.run(lambda connection: batch_totals(self._sql, connection, [batch_id]))
        return found.get(batch_id, BatchTotals())

    def _is_reserved(self, request_id: str) -> bool:
        sql = "SELECT 1 FROM budget_entry WHERE id = ? LIMIT 1"
        return bool(self._database.run(lambda connection: self._sql.rows(connection, sql, request_id)))

    def _written(self, ids: Sequence[str]) -> set[str]:
        if not ids:
            return set()
        sql = f"SELECT id FROM llm_usage WHERE id IN ({', '.join('?' for _ in ids)})"  # noqa: S608 marks only
        return {row[0] for row in self._database.run(lambda connection: self._sql.rows(connection, sql, *ids))}


def batch_money(
    settings: Settings, database: Database, *, told: Callable[[Mapping[str, Any]], None] = lambda _: None
) -> BatchMoney:
    """Return the money of batches, by the settings.

    Parameters:
      settings: Caps, days and prices.
      database: The central one.
      told: Called with each row of ``llm_usage``.
    """
    zone = ZoneInfo(settings.timezone)
    caps = caps_of(total=settings.budget_per_day, each_user=settings.budget_per_user_day)
    return BatchMoney(
        database,
        Budgets(database, zone=zone, defaults=caps),
        load_prices(settings.prices_file),
        node=settings.node,
        zone=zone,
        refuses_unpriced=settings.unknown_price == "refuse",
        told=told,
    )
