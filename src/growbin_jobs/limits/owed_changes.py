"""Changes of the budgets' books that wait until the database is back."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from growbin_jobs.errors import Deferred

logger = logging.getLogger(__name__)

#: Changes that wait in memory at most; those beyond become unknown by their lease.
_MOST_OWED: Final = 10_000

Change = Callable[[], None]


class OwedChanges:
    """Makes changes in their order, once each."""

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque(maxlen=_MOST_OWED)

    def add(self, change: Change) -> None:
        """Let a change wait."""
        self._waiting.append(change)

    def book(self, change: Change) -> None:
        """Make a change now, or as soon as the database is back."""
        try:
            change()
        except Deferred:
            self._waiting.append(change)
            logger.warning("budget.owes changes=%d", len(self._waiting))

    def catch_up(self) -> None:
        """Make the changes that wait.

        Raises:
          Deferred: The database is away.
        """
        while (change := self._next()) is not None:
            try:
                change()
            except Deferred:
                self._waiting.appendleft(change)
                raise
            except Exception:
                # Its reservation becomes unknown by its lease; the requests of others must not fail for it.
                logger.exception("budget.change_refused")

    def _next(self) -> Change | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None
