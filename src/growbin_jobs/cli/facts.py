"""Prints names and values, one a line; ids and addresses stay whole, since no line is broken here."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from growbin_jobs.cli.console import one_line, out


def print_title(words: str) -> None:
    """Print what the facts below are about."""
    out.print(Text(one_line(words), "bold"), soft_wrap=True)


def print_facts(facts: Sequence[tuple[str, str | Text]]) -> None:
    """Print names and values, the values below each other.

    Parameters:
      facts: What is printed; later lines of a value stand below its first.
    """
    width = max((cell_len(name) for name, _ in facts), default=0)
    for name, value in facts:
        lines = (value if isinstance(value, Text) else Text(value)).split("\n") or [Text()]
        for number, line in enumerate(lines):
            out.print(Text.assemble((set_cell_size("" if number else name, width), "dim"), "  ", line), soft_wrap=True)
