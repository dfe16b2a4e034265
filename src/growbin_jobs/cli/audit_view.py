"""The audit on a terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.models.audit import AuditRecord


def print_records(records: Sequence[AuditRecord]) -> None:
    """Print rows of the audit, a line each, and the reason below."""
    if not records:
        say("The audit has no such row.")
        return
    for record in records:
        line = Text.assemble(
            (f"{record.number:>7}  ", "dim"), local(datetime.fromisoformat(record.at)), "  ",
            (one_line(record.who) or "–", "bold"), f"  {record.action}",
        )  # fmt: skip
        for name in ("target", "whose", "address"):
            if value := getattr(record, name):
                line.append(f"  {name}={one_line(value)}", "dim")
        out.print(line, soft_wrap=True)
        if record.reason:
            out.print(Text(f"         {one_line(record.reason)}", style="italic"), soft_wrap=True)
    say(f"Times in {zone_name()}.", "dim")
