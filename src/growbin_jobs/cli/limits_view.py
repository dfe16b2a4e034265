"""Limits of paid calls on a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import complain, one_line, out, say
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.limits.audit import Finding
from growbin_jobs.operations.limit_plan import Plan
from growbin_jobs.operations.limit_proof import Proof
from growbin_jobs.operations.limit_states import LimitState
from growbin_jobs.rates import Rate

#: Cells of a bar.
_BAR = 10

_UNPRICED = "not known: no request of the last 7 days has a price"


def print_states(states: Sequence[LimitState]) -> None:
    """Print the limits, one a row."""
    if not states:
        say("There are no limits yet. The workers make them when they start with a model server.")
        return
    table = _table("limit", "at most", "last minute", "", "waiting", "set by")
    for state in states:
        promised = state.most * 60 / state.window
        held = Text(f" held {state.held:.0f} s", "yellow") if state.held else Text()
        waiting = "" if state.waiting is None else str(state.waiting)
        table.add_row(
            Text(one_line(state.name)),
            str(Rate(state.most, state.window)),
            str(state.last_minute),
            Text.assemble(_bar(state.last_minute / promised), held),
            waiting,
            Text(state.origin, "yellow" if state.origin == "person" else "dim"),
        )
    out.print(table)
    say("Waiting: analyses that wait for the limit or are being answered.", "dim")


def print_plan(plan: Plan) -> None:
    """Print what so many pictures take."""
    ends = datetime.now(UTC) + timedelta(seconds=plan.seconds)
    print_title(f"{plan.pictures} pictures")
    facts = [
        ("takes", f"{timedelta(seconds=round(plan.seconds))}, until {local(ends)} ({zone_name()})"),
        ("limit", f"{plan.limit} decides: {plan.per_minute:g} pictures a minute" if plan.limit else "none"),
        ("threads", f"{plan.threads} suffice in the group ai"),
        ("costs", _UNPRICED if plan.micro_dollars is None else dollars(plan.micro_dollars)),
    ]
    for need in plan.needs:
        source = f"{need.requests} requests of the last 7 days" if need.requests else "assumed, nothing was sent yet"
        facts.append((need.purpose, f"{need.seconds:g} s, {need.tokens} tokens a request ({source})"))
    print_facts([(name, one_line(value)) for name, value in facts])


def print_proof(proof: Proof) -> None:
    """Print what was found."""
    table = _table("limit", "promised", "most in any", "", "used", "in all", "")
    for finding in proof.limits:
        table.add_row(*_finding(finding))
    out.print(table)
    nodes = ", ".join(f"{one_line(node)} {count}" for node, count in proof.nodes.items())
    facts = [
        ("since", f"{local(proof.since_at)} ({zone_name()})"),
        ("requests", f"{proof.requests}" + (f"  ({nodes})" if nodes else "")),
        ("429", str(proof.told_to_wait)),
        ("analyses", f"{proof.analyses}, {proof.requests_per_analysis:g} requests each"),
        ("cost", dollars(proof.micro_dollars) + (f" and {proof.unpriced} unpriced" if proof.unpriced else "")),
    ]
    print_facts(facts)
    say("Used: of the promise, in the busiest ten windows in a row.", "dim")
    for wrong in proof.books_wrong:
        complain(wrong.name, f"{wrong.day}: the totals of the budget are not what its reservations add up to.")
    if proof.kept:
        say("Every promise was kept.", "bold green")
    else:
        say("A promise was broken.", "bold red")


def dollars(micro: int) -> str:
    """Return an amount of money for people."""
    return f"${micro / 1e6:,.2f}" if micro >= 10_000 else f"${micro / 1e6:.6f}"


def _finding(finding: Finding) -> list[Text]:
    rate = Rate(finding.most, finding.window)
    unit = str(rate).rpartition("/")[2]
    verdict = Text("kept", "green") if not finding.broken else Text(f"BROKEN in {finding.broken} windows", "bold red")
    return [
        Text(one_line(finding.name)),
        Text(str(rate)),
        Text(f"{finding.worst}/{unit}"),
        _bar(finding.worst / finding.most),
        Text(f"{finding.use:.1%}"),
        Text(str(finding.total)),
        verdict,
    ]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _bar(part: float) -> Text:
    filled = min(_BAR, round(part * _BAR))
    colour = "red" if part > 1 else "yellow" if part >= 0.9 else "green"
    return Text.assemble(("█" * filled, colour), ("░" * (_BAR - filled), "dim"))
