"""The audit on a terminal."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.engine.text import count_of
from growbin_jobs.models.audit import AuditRecord
from growbin_jobs.models.audit_review import AuditReview


def print_records(records: Sequence[AuditRecord]) -> None:
    """Print rows of the audit, a line each, and the reason below."""
    if not records:
        say(spoken("The audit has no such row."))
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
    say(spoken("Times in {zone}.", zone=zone_name()), "dim")


def print_review(found: AuditReview) -> None:
    """Print the review of a month."""
    over = "" if found.complete else ", which is not over"
    written, refused = count_of(found.rows, "row"), count_of(found.refused, "refused sign-in")
    say(f"{found.month} ({found.zone}){over}: {written}, {refused}.", "bold")
    for each in found.people:
        line = Text.assemble(
            (one_line(each.who) or "(nobody known)", "bold"), f"  {', '.join(map(one_line, each.roles)) or '–'}  "
            f"{count_of(each.rows, 'row')}, {count_of(each.looks, 'look')} at personal data of "
            f"{count_of(each.people, 'person')}",
        )  # fmt: skip
        out.print(line, soft_wrap=True)
        actions = ", ".join(f"{one_line(name)} {count}" for name, count in each.actions.items())
        out.print(Text(f"    {actions}", style="dim"), soft_wrap=True)
    for new in found.new_addresses:
        out.print(
            Text(f"New address: {one_line(new.who)} from {one_line(new.address)}, {count_of(new.rows, 'row')}"),
            soft_wrap=True,
        )
    for title, rows in (("Taken away", found.taken), ("Tokens and ended sessions", found.access)):
        if rows:
            say(f"{title}:", "bold")
            print_records(rows)
    if found.chain is None:
        say(spoken("The chain is whole; its head: {head}", head=found.head or "0:"))
