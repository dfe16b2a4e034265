"""The table in ``docs/faults.md``: ``PYTHONPATH=tests python -m faults.table`` writes it."""

from __future__ import annotations

from pathlib import Path

from faults.catalogue import ELSEWHERE, FAULTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
BEGIN, END = "<!-- faults: written by tests/faults/table.py -->\n", "<!-- /faults -->"


def table() -> str:
    """Return the table, and below it what is proven elsewhere or not yet."""
    lines = [
        "| # | fault | what happens | must hold beside the rest | where | with all tests |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for fault in sorted(FAULTS, key=lambda each: each.number):
        where = ", ".join(fault.where)
        ci = "yes" if fault.in_ci == fault.where else ", ".join(fault.in_ci) or "no"
        lines.append(f"| {fault.number} | `{fault.name}` | {fault.what} | {fault.holds} | {where} | {ci} |")
    missing = [f"- **{number}** {why}." for number, why in sorted(ELSEWHERE.items())]
    return "\n".join([*lines, "", "Not here:", "", *missing, ""])


def page(text: str) -> str:
    """Return the page with the current table."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
