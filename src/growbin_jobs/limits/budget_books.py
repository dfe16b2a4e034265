"""What the two databases share of the books of the budgets: what is asked of them, and what they answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

#: The budget that holds for all users that have none of their own.
EACH_USER: Final = "each-user"

#: Reservations that one call of :meth:`Books.expire` ends at most.
EXPIRED_AT_ONCE: Final = 200

#: Seconds of the longest lease, that of a batch's requests, and a day. One that is longer is of a clock that was ahead.
LONGEST_LEASE: Final = 5 * 86_400.0

#: How a reservation ends: see :mod:`growbin_jobs.limits.bookkeeping`.
End = Literal["settled", "released", "unknown"]

#: Seconds since 1970; None: the database's own clock.
Clock = Callable[[], float] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One budget in which money is to be reserved.

    Attributes:
      name: Of the budget.
      cap: In micro-dollars, where the database says nothing of it; None: no limit.
      is_users: Whether the cap that the database has for ``each-user`` comes before that.
    """

    name: str
    cap: int | None
    is_users: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What a budget said to a reservation.

    Attributes:
      name: Of the budget.
      cap: That holds; None: no limit.
      spent: Before.
      has_room: Whether the amount fits.
      percent: Of the cap that must be told now; None: nothing.
      covered: See :mod:`growbin_jobs.limits.budget_cover`; None: it has no cover.
    """

    name: str
    cap: int | None
    spent: int
    has_room: bool
    percent: int | None
    covered: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a reservation; the amount is reserved in all budgets when all have room, else in none.

    Nothing was done where ``forgotten`` names a budget, or where all have room and one of them is not covered.

    Attributes:
      now: The clock, in seconds since 1970.
      day: Of the budgets, as ``2026-11-28``.
      budgets: In the order of their names.
      forgotten: Those that have to be accounted for first; see :meth:`.budget_cover.Covers.account`.
    """

    now: float
    day: str
    budgets: Sequence[Judged]
    forgotten: Sequence[str] = ()


class Books(Protocol):
    """The books in one database. Its errors mean what :meth:`Database.run` says."""

    def reserve(self, reservation: str, asked: Sequence[Asked], amount: int, lease: float) -> Answer:
        """Reserve an amount in all budgets or in none; see :meth:`growbin_jobs.limits.budgets.Budgets.reserve`.

        It never waits for the disk: nothing is reserved in a budget that is not covered.
        """
        ...

    def end(self, reservation: str, end: End, cost: int, usage_id: str | None) -> None:
        """End a reservation in all its budgets, on its day; what has ended stays so.

        Parameters:
          reservation: Its id.
          end: How. What is unknown can still be settled.
          cost: In micro-dollars, where it is settled.
          usage_id: The row of ``llm_usage``.
        """
        ...

    def expire(self) -> int:
        """Let reservations whose lease has ended count as unknown; return how many entries it were."""
        ...
