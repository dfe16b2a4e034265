"""Caps of budgets that are set at run time; they win over the settings, also after a restart."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.budgets import EACH_USER, TOTAL, USER

#: Micro-dollars of a dollar, and the most that a cap may be.
MICRO: Final = 1_000_000
MOST: Final = Decimal(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Cap:
    """What may be spent in a day.

    Attributes:
      name: Of the budget.
      micro_dollars: None: there is no limit; 0: nothing may be spent.
    """

    name: str
    micro_dollars: int | None


class Caps:
    """Reads and writes the caps.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def all(self) -> list[Cap]:
        """Return the caps that were set, by name."""
        rows = self._database.run(lambda connection: self._sql.rows(connection, "SELECT name, cap FROM budget"))
        return sorted((Cap(*row) for row in rows), key=lambda cap: cap.name)

    def set(self, cap: Cap) -> None:
        """Set a cap; it holds for the next request. What was told of today's spending is told anew where it applies.

        Raises:
          ConfigurationError: There is no budget of that name.
        """
        name = checked_name(cap.name)

        def work(connection: Any) -> None:
            self._sql.run(
                connection,
                "INSERT INTO budget (name, cap, changed_at) VALUES (?, ?, $now) ON CONFLICT (name)"
                " DO UPDATE SET cap = excluded.cap, changed_at = excluded.changed_at",
                *(name, cap.micro_dollars),
            )
            self._tell_anew(connection, name)

        self._database.transaction(work)

    def forget(self, name: str) -> bool:
        """Let the setting hold again; return False where no cap was set."""

        def work(connection: Any) -> int:
            self._tell_anew(connection, name)
            return self._sql.run(connection, "DELETE FROM budget WHERE name = ?", name)

        return bool(self._database.transaction(work))

    def _tell_anew(self, connection: Any, name: str) -> None:
        whose, value = ("substr(name, 1, 5) = ?", USER) if name == EACH_USER else ("name = ?", name)
        latest = "SELECT max(day) FROM budget_day"
        self._sql.run(connection, f"UPDATE budget_day SET told = 0 WHERE {whose} AND day = ({latest})", value)  # noqa: S608


def checked_name(name: str) -> str:
    """Return the name of a budget.

    Raises:
      ConfigurationError: There can be none of that name.
    """
    if name in (TOTAL, EACH_USER) or (name.startswith(USER) and len(name) > len(USER) and name.isprintable()):
        return name
    raise ConfigurationError(f"There is no budget {name!r}. There are {TOTAL}, {EACH_USER} and {USER}<id>.")


def parsed_cap(written: str) -> int | None:
    """Return micro-dollars from dollars as somebody wrote them: ``5``, ``0.25``, ``none``.

    Raises:
      ConfigurationError: It is no amount, negative, too large, or finer than a micro-dollar.
    """
    if written == "none":
        return None
    try:
        amount = Decimal(written)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and 0 <= amount <= MOST) or amount * MICRO != int(amount * MICRO):
        raise ConfigurationError(f"{written!r} is no amount in dollars. Write it as 5 or 0.25, or none for no limit.")
    return int(amount * MICRO)


def caps_of(*, total: Decimal | None, each_user: Decimal | None) -> dict[str, int | None]:
    """Return the caps that the settings name, in micro-dollars.

    Parameters:
      total: Dollars in a day; None: no limit.
      each_user: Dollars in a day for each user; None: no limit.
    """
    named = {TOTAL: total, EACH_USER: each_user}
    return {name: None if value is None else int(value * MICRO) for name, value in named.items()}
