"""Budgets on a terminal, in two languages."""

from collections.abc import Mapping, Sequence
from datetime import date

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import MOST_ROWS, one_line, out, say
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.usage_view import dollars
from growbin_jobs.limits.bookkeeping import NEARLY
from growbin_jobs.limits.budget_report import BudgetDay
from growbin_jobs.reasons import Language

#: Columns of the bars.
_BAR = 20


def print_budgets(
    days: Sequence[BudgetDay], caps: Mapping[str, int | None], language: Language, *, day: date, zone: str
) -> None:
    """Print the caps, and what was spent of each that a day has used.

    Parameters:
      days: What was spent.
      caps: As they are now, by name.
      language: Of the words.
      day: Which day it is.
      zone: Whose day it is.
    """
    for name, cap in sorted(caps.items(), key=lambda item: (":" in item[0], item[0])):
        out.print(Text(f"{one_line(name)}: {worded(cap, language)}"), soft_wrap=True)
    if not days:
        say(word("nothing reserved", language, day=day, zone=zone))
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{day}", overflow="fold")
    table.add_column(word("of", language), no_wrap=True)
    for name in ("spent", "settled", "unknown", "reserved", "left"):
        table.add_column(word(name, language), justify="right", no_wrap=True)
    for one in days[:MOST_ROWS]:
        left = "–" if one.cap is None else dollars(max(0, one.cap - one.spent))
        money = (dollars(amount) for amount in (one.spent, one.settled, one.unknown, one.open))
        table.add_row(Text(one_line(one.name)), _bar(one), *money, left)
    out.print(table)
    if len(days) > MOST_ROWS:
        say(word("more of them", language, count=f"{len(days) - MOST_ROWS:,}"), "dim")
    say(word("day of", language, zone=zone), "dim")


def worded(cap: int | None, language: Language) -> str:
    """Return a cap in words."""
    return word("no cap", language) if cap is None else word("cap", language, dollars=dollars(cap))


def _bar(one: BudgetDay) -> Bar | Text:
    if one.cap is None:
        return Text()
    percent = 100 * one.spent / one.cap if one.cap else 100.0
    colour = "red" if percent >= 100 else "yellow" if percent >= NEARLY else "green"
    return Bar(100, 0, min(percent, 100), width=_BAR, color=colour, bgcolor="bright_black")
