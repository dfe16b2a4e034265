"""Limits of paid calls on a terminal, in two languages."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.table import Table
from rich.text import Text

from growbin_jobs.cli.console import MOST_ROWS, complain, one_line, out, say
from growbin_jobs.cli.facts import print_facts, print_title
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.limit_names import TOKENS, USER
from growbin_jobs.limits.audit import Finding
from growbin_jobs.operations.limit_plan import Plan
from growbin_jobs.operations.limit_proof import Proof
from growbin_jobs.operations.limit_states import LimitState
from growbin_jobs.rates import Rate
from growbin_jobs.reasons import Language

#: Cells of a bar.
_BAR = 10


def print_states(states: Sequence[LimitState], language: Language) -> None:
    """Print the limits, one a row."""
    if not states:
        say(word("no limits", language))
        return
    table = _table(language, "limit", "at most", "last minute", "", "waiting", "set by")
    for state in sorted(states, key=lambda one: _order(one.name, one.last_minute))[:MOST_ROWS]:
        promised = state.most * 60 / state.window
        held = Text(word("held", language, seconds=f"{state.held:.0f}"), "yellow") if state.held else Text()
        waiting = "" if state.waiting is None else str(state.waiting)
        table.add_row(
            Text(one_line(state.name)),
            str(Rate(state.most, state.window)),
            str(state.last_minute),
            Text.assemble(_bar(state.last_minute / promised), held),
            waiting,
            Text(word(state.origin, language), "yellow" if state.origin == "person" else "dim"),
        )
    out.print(table)
    if len(states) > MOST_ROWS:
        say(word("more of them", language, count=f"{len(states) - MOST_ROWS:,}"), "dim")
    say(word("what waits", language), "dim")


def print_plan(plan: Plan, language: Language) -> None:
    """Print what so many pictures take."""
    print_title(word("pictures", language, number=plan.pictures))
    span, rate = timedelta(seconds=round(plan.seconds)), f"{plan.per_minute:g}"
    decides = word("decides", language, limit=plan.limit, rate=rate) if plan.limit else word("none", language)
    unknown = plan.micro_dollars is None
    facts = [
        (word("takes", language), _until(span, language)),
        (word("limit", language), decides),
        (word("threads", language), word("suffice", language, threads=plan.threads)),
        (word("costs", language), word("cost not known", language) if unknown else dollars(plan.micro_dollars or 0)),
    ]
    for need in plan.needs:
        past = word("of the past", language, requests=need.requests)
        source = past if need.requests else word("assumed", language)
        words = word("need", language, seconds=f"{need.seconds:g}", tokens=need.tokens, source=source)
        facts.append((need.purpose, words))
    print_facts([(name, one_line(value)) for name, value in facts])


def _until(span: timedelta, language: Language) -> str:
    try:
        ends = local(datetime.now(UTC) + span)
    except OverflowError:  # after the year 9999
        return str(span)
    return word("until", language, span=span, end=ends, zone=zone_name())


def print_proof(proof: Proof, language: Language) -> None:
    """Print what was found."""
    table = _table(language, "limit", "promised", "most in any", "", "used", "in all", "")
    for finding in sorted(proof.limits, key=lambda one: (not one.broken, *_order(one.name, one.worst)))[:MOST_ROWS]:
        table.add_row(*_finding(finding, language))
    out.print(table)
    if len(proof.limits) > MOST_ROWS:
        say(word("more of them", language, count=f"{len(proof.limits) - MOST_ROWS:,}"), "dim")
    unpriced = word("and unpriced", language, requests=proof.unpriced) if proof.unpriced else ""
    nodes = ", ".join(f"{one_line(node)} {count}" for node, count in proof.nodes.items())
    facts = [
        (word("since", language), f"{local(proof.since_at)} ({zone_name()})"),
        (word("requests", language), f"{proof.requests}" + (f"  ({nodes})" if nodes else "")),
        ("429", str(proof.told_to_wait)),
        (
            word("analyses", language),
            word("each", language, analyses=proof.analyses, requests=f"{proof.requests_per_analysis:g}"),
        ),
        (word("cost", language), dollars(proof.micro_dollars) + unpriced),
    ]
    print_facts(facts)
    say(word("what used is", language), "dim")
    for wrong in proof.books_wrong:
        complain(wrong.name, word("books wrong", language, day=wrong.day))
    if proof.kept:
        say(word("all kept", language), "bold green")
    else:
        say(word("not all kept", language), "bold red")


def dollars(micro: int) -> str:
    """Return an amount of money for people."""
    return f"${micro / 1e6:,.2f}" if micro >= 10_000 else f"${micro / 1e6:.6f}"


def _order(name: str, units: int) -> tuple[bool, int, str]:
    """Put limits by name, and those of users behind the others, the busiest first."""
    is_users = name.removeprefix(TOKENS).startswith(USER)
    return (is_users, -units if is_users else 0, name)


def _finding(finding: Finding, language: Language) -> list[Text]:
    rate = Rate(finding.most, finding.window)
    unit = str(rate).rpartition("/")[2]
    verdict = Text(word("kept", language), "green")
    if finding.broken:
        verdict = Text(word("broken", language, windows=finding.broken), "bold red")
    return [
        Text(one_line(finding.name)),
        Text(str(rate)),
        Text(f"{finding.worst}/{unit}"),
        _bar(finding.worst / finding.most),
        Text(f"{finding.use:.1%}"),
        Text(str(finding.total)),
        verdict,
    ]


def _table(language: Language, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(word(column, language) if column else "", no_wrap=True)
    return table


def _bar(part: float) -> Text:
    filled = min(_BAR, round(part * _BAR))
    colour = "red" if part > 1 else "yellow" if part >= 0.9 else "green"
    return Text.assemble(("█" * filled, colour), ("░" * (_BAR - filled), "dim"))
