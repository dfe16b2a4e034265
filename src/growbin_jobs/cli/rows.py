"""Prints rows as a table, or below each other where a terminal is too narrow for that: nothing is cut."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.text import Text

from growbin_jobs.cli.console import out
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.spoken import heading

if TYPE_CHECKING:
    from rich.console import JustifyMethod

#: Characters that are left of a column that may be folded.
_FOLDED: Final = 6


def print_rows(
    title: str, columns: "Mapping[str, JustifyMethod]", rows: Sequence[Sequence[str | Text]], *, folds: str = ""
) -> None:
    """Print rows.

    Parameters:
      title: What they are.
      columns: Their headings, with the side that they are aligned to.
      rows: Cells, as many as there are columns.
      folds: Heading of a column whose cells may take more than one line.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    headings = [heading(name) for name in columns]
    if _width(columns, rows, folds) > out.width:
        print_title(title)
        for row in rows:
            out.print()
            print_facts(list(zip(headings, row, strict=True)))
        return
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for (name, justify), shown in zip(columns.items(), headings, strict=True):
        table.add_column(shown, justify=justify, no_wrap=name != folds, overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _width(columns: "Mapping[str, JustifyMethod]", rows: Sequence[Sequence[str | Text]], folds: str) -> int:
    """Return how many characters a table takes: its cells with two between them, and one at each side."""
    lines = [[heading(name) for name in columns], *rows]
    widths = {name: max(cell_len(str(line[at])) for line in lines) for at, name in enumerate(columns)}
    if folds:
        widths[folds] = min(widths[folds], _FOLDED)
    return sum(widths.values()) + 2 * len(widths)
