"""What requests cost, on a terminal and as CSV."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields

from rich.bar import Bar
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import MOST_ROWS, one_line, out, say
from growbin_jobs.cli.paid_words import word
from growbin_jobs.limits.spent import Spent
from growbin_jobs.operations.billed_costs import BilledDay
from growbin_jobs.reasons import Language

#: Columns of the bars.
_BAR = 24


def print_csv(by: str, sums: Sequence[Spent]) -> None:
    """Print sums as CSV, with a head; money in whole micro-dollars.

    Parameters:
      by: Name of the first column.
    """
    names = [field.name for field in fields(Spent)]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([by, *names[1:]])
    for one in sums:
        row = asdict(one)
        writer.writerow([_plain(row["key"] or ""), *(row[name] for name in names[1:])])
    sys.stdout.flush()


def print_sums(by: str, sums: Sequence[Spent], language: Language, *, zone: str) -> None:
    """Print sums with bars, and the total.

    Parameters:
      by: What they are by.
      language: Of the words.
      zone: Whose days they are.
    """
    if not sums:
        say(word("no usage", language))
        return
    most = max(one.micro_dollars for one in sums)
    table = Table(box=None, pad_edge=False)
    table.add_column(word(by, language), overflow="fold")
    for name in ("requests", "tokens in", "cached", "out"):
        table.add_column(word(name, language), justify="right", no_wrap=True)
    table.add_column("USD", justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(word("unpriced", language), justify="right", no_wrap=True)
    shown, others = (sums, ()) if by == "day" else (sums[:MOST_ROWS], sums[MOST_ROWS:])
    for one in shown:
        bar = Bar(most or 1, 0, one.micro_dollars, width=_BAR, color="green")
        table.add_row(
            Text(one_line(one.key or word("not known", language))), *_numbers(one), bar, _unpriced(one.unpriced)
        )
    if others:
        label = word("others", language, count=f"{len(others):,}")
        table.add_row(Text(label), *_numbers(_total(others)), "", _unpriced(_total(others).unpriced))
    if len(sums) > 1:
        table.add_row(
            Text(word("total", language), "bold"), *_numbers(_total(sums)), "", _unpriced(_total(sums).unpriced)
        )
    out.print(table)
    unpriced = _total(sums).unpriced
    if unpriced:
        say(word("have no price", language, requests=unpriced), "yellow")
    say(word("days of", language, zone=zone), "dim")


def print_billed(days: Sequence[BilledDay]) -> None:
    """Print what was billed beside what we have counted, by UTC day."""
    table = Table(box=None, pad_edge=False)
    for name in ("UTC", "USD", "billed", "drift", "unpriced"):
        table.add_column(name, justify="left" if name == "UTC" else "right", no_wrap=True)
    for one in days:
        drift = Text(f"{one.drift:+.1%}" if one.billed else "", "red" if one.differs else "")
        table.add_row(str(one.day), dollars(one.ours), dollars(one.billed), drift, _unpriced(one.unpriced))
    out.print(table)


def dollars(micro: int) -> str:
    """Return micro-dollars as dollars, to a hundredth of a cent."""
    return f"{micro / 1_000_000:,.4f}"


def _numbers(one: Spent) -> list[str]:
    counts = (one.requests, one.tokens_in, one.tokens_cached, one.tokens_out)
    return [*(f"{count:,}" for count in counts), dollars(one.micro_dollars)]


def _unpriced(count: int) -> Text:
    return Text(str(count) if count else "", "yellow")


def _total(sums: Sequence[Spent]) -> Spent:
    names = [field.name for field in fields(Spent)][1:]
    return Spent(None, *(sum(getattr(one, name) for one in sums) for name in names))


def _plain(key: str) -> str:
    """Return a key that a spreadsheet does not take for a formula."""
    return f"'{key}" if key[:1] in ("=", "+", "-", "@", "\t", "\r") else key
