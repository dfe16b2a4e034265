"""A rehearsal on a terminal."""

from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.usage_view import dollars
from growbin_jobs.operations.model_servers import KnownServer
from growbin_jobs.operations.rehearsal_verdict import Agreement, Paid, Rehearsal


def print_rehearsal(done: Rehearsal) -> None:
    """Print agreement by category, cost and latency side by side, and the verdict."""
    against = ", ".join(done.against) or "nothing"
    out.print(Text(one_line(f"{done.model} against {against}"), "bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("category of then")
    for name in ("pictures", "same category", "same item", "same state"):
        table.add_column(name, justify="right")
    for name, agreement in done.by_category.items():
        table.add_row(Text(one_line(name)), *_shares(agreement))
    table.add_row(Text("total", "bold"), *_shares(done.total))
    out.print(table)
    out.print()
    paid = Table(box=None, pad_edge=False)
    for name in ("", "USD a picture", "median s", "95 % within s"):
        paid.add_column(name, justify="right" if name else "left")
    paid.add_row("then", *_paid(done.then))
    paid.add_row(Text(one_line(done.model)), *_paid(done.now))
    out.print(paid)
    if done.missing:
        out.print(f"{done.missing} pictures are no longer there.")
    for problem, count in done.problems.items():
        out.print(Text(one_line(f"{count} without an answer: {problem}"), "yellow"))
    out.print()
    style = "bold green" if done.verdict == "go" else "bold red"
    out.print(Text.assemble((done.verdict, style), *(f"\n  {reason}" for reason in done.reasons)))


def print_servers(servers: Sequence[KnownServer]) -> None:
    """Print what was learnt of servers: for each model its address, and below it what is not sent, and why."""
    if not servers:
        say(spoken("Nothing was learnt yet: no server has refused a part of a request."))
    for one in servers:
        out.print(Text.assemble((one_line(one.model), "bold"), f"  {one_line(one.url)}"), soft_wrap=True)
        for feature, words in one.refused.items():
            out.print(
                Padding(
                    Text(one_line(spoken("not sent: {feature}  ({words})", feature=feature, words=words))), (0, 0, 0, 2)
                )
            )
        if one.efforts is not None:
            out.print(
                Padding(
                    Text(one_line(spoken("reasoning efforts: {names}", names=", ".join(one.efforts)))), (0, 0, 0, 2)
                )
            )
        if one.most_tokens is not None:
            out.print(
                Padding(Text(spoken("at most {number} tokens in an answer", number=one.most_tokens)), (0, 0, 0, 2))
            )
        if one.said:
            out.print(Padding(Text(one_line(spoken("it last said: {words}", words=one.said)), "yellow"), (0, 0, 0, 2)))


def _shares(agreement: Agreement) -> list[str]:
    count = agreement.pictures
    same = (agreement.category, agreement.item, agreement.state)
    return [str(count), *(f"{one / count:.0%}" if count else "–" for one in same)]


def _paid(paid: Paid) -> list[str]:
    times = (f"{seconds:.1f}" if seconds is not None else "–" for seconds in (paid.median, paid.p95))
    return ["not known" if paid.micro_dollars is None else f"{dollars(paid.micro_dollars)}", *times]
