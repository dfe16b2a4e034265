"""Budgets on a terminal."""

from collections.abc import Mapping, Sequence
from datetime import date

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.usage_view import dollars
from growbin_jobs.limits.bookkeeping import NEARLY
from growbin_jobs.limits.budget_report import BudgetDay

#: Columns of the bars.
_BAR = 20


def print_budgets(days: Sequence[BudgetDay], caps: Mapping[str, int | None], *, day: date, zone: str) -> None:
    """Print the caps, and what was spent of each that a day has used.

    Parameters:
      days: What was spent.
      caps: As they are now, by name.
      day: Which day it is.
      zone: Whose day it is.
    """
    for name, cap in sorted(caps.items(), key=lambda item: (":" in item[0], item[0])):
        out.print(Text(f"{one_line(name)}: {worded(cap)}"), soft_wrap=True)
    if not days:
        say(f"Nothing was reserved on {day} ({zone}).")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{day}", overflow="fold")
    table.add_column("of", no_wrap=True)
    for name in ("spent", "settled", "unknown", "open", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in days:
        left = "–" if one.cap is None else dollars(max(0, one.cap - one.spent))
        money = (dollars(amount) for amount in (one.spent, one.settled, one.unknown, one.open))
        table.add_row(Text(one_line(one.name)), _bar(one), *money, left)
    out.print(table)
    say(f"USD; the day of {zone}.", "dim")


def worded(cap: int | None) -> str:
    """Return a cap in words."""
    return "no limit" if cap is None else f"{dollars(cap)} USD a day"


def _bar(one: BudgetDay) -> Bar | Text:
    if one.cap is None:
        return Text()
    percent = 100 * one.spent / one.cap if one.cap else 100.0
    colour = "red" if percent >= 100 else "yellow" if percent >= NEARLY else "green"
    return Bar(100, 0, min(percent, 100), width=_BAR, color=colour, bgcolor="bright_black")
