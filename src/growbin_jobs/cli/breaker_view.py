"""Breakers on a terminal, in two languages."""

from collections.abc import Sequence
from typing import Final

from rich.cells import set_cell_size
from rich.padding import Padding
from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.operations.breakers import BreakerStatus
from growbin_jobs.reasons import Language

_STYLES: Final = {"closed": "green", "open": "yellow", "operator": "bold red"}


def print_breakers(breakers: Sequence[BreakerStatus], language: Language) -> None:
    """Print breakers: for each a line, and why it lets nobody send."""
    if not breakers:
        say(word("no breakers", language))
        return
    for breaker in breakers:
        state = set_cell_size(word(breaker.state, language), 9)
        head = Text.assemble((state, _STYLES[breaker.state]), f" {one_line(breaker.name)}")
        if breaker.since_at is not None:
            head.append(word("since when", language, since=local(breaker.since_at)), "dim")
        out.print(head, soft_wrap=True)
        for line in _why(breaker, language):
            out.print(Padding(line, (0, 0, 0, 10)))
    say(word("times", language, zone=zone_name()), "dim")


def _why(breaker: BreakerStatus, language: Language) -> list[Text]:
    lines = []
    if breaker.remedy:
        lines.append(Text.assemble((breaker.reason, "bold"), f" {breaker.remedy}"))
    if breaker.said:
        lines.append(Text(one_line(f"the server said: {breaker.said}"), "dim"))
    if breaker.next_probe_at is not None:
        lines.append(Text(word("next probe", language, at=local(breaker.next_probe_at)), "dim"))
    if breaker.held_until_at is not None:
        lines.append(Text(word("server limits", language, until=local(breaker.held_until_at)), "yellow"))
    return lines
