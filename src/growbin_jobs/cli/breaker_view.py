"""Breakers on a terminal."""

from collections.abc import Sequence
from typing import Final

from rich.padding import Padding
from rich.text import Text

from growbin_jobs.cli.console import one_line, out, say
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.operations.breakers import BreakerStatus

_STYLES: Final = {"closed": "green", "open": "yellow", "operator": "bold red"}


def print_breakers(breakers: Sequence[BreakerStatus]) -> None:
    """Print breakers: for each a line, and why it lets nobody send."""
    if not breakers:
        say("No breaker has seen a failure yet.")
        return
    for breaker in breakers:
        head = Text.assemble((f"{breaker.state:<8}", _STYLES[breaker.state]), f"  {one_line(breaker.name)}")
        if breaker.since_at is not None:
            head.append(f"  since {local(breaker.since_at)}", "dim")
        out.print(head, soft_wrap=True)
        for line in _why(breaker):
            out.print(Padding(line, (0, 0, 0, 10)))
    say(f"Times in {zone_name()}.", "dim")


def _why(breaker: BreakerStatus) -> list[Text]:
    lines = []
    if breaker.remedy:
        lines.append(Text.assemble((breaker.reason, "bold"), f" {breaker.remedy}"))
    if breaker.said:
        lines.append(Text(one_line(f"the server said: {breaker.said}"), "dim"))
    if breaker.next_probe_at is not None:
        lines.append(Text(f"next probe {local(breaker.next_probe_at)}", "dim"))
    if breaker.held_until_at is not None:
        lines.append(Text(f"the server limits the rate; it waits until {local(breaker.held_until_at)}", "yellow"))
    return lines
