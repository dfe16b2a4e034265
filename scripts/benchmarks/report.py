"""One table for people, plain where nobody looks at a terminal, and JSON for programs."""

import json
import platform
import sys
from collections.abc import Sequence
from os import sched_getaffinity

from rich.console import Console
from rich.table import Table


def machine() -> dict[str, object]:
    """What the figures depend on."""
    with open("/proc/loadavg") as file:
        load = float(file.read().split()[0])
    return {"python": platform.python_version(), "cpus": len(sched_getaffinity(0)), "load_before": load}


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the first column is text, the others are numbers."""
    cells = [[f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(*columns, title=title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in cells:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    print(title)
    for row in (columns, *cells):
        first, *rest = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]).rstrip())
    print()


def dump(results: dict[str, object]) -> None:
    """Print one JSON object."""
    print(json.dumps(results, indent=2))


def note(text: str) -> None:
    """Tell a waiting person what happens, beside the results."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)
