"""Tokens of the monitor on a terminal."""

from collections.abc import Sequence

from rich.table import Table

from growbin_jobs.cli.console import out, say
from growbin_jobs.cli.spoken import heading, spoken
from growbin_jobs.cli.times import local, zone_name
from growbin_jobs.models.monitor_tokens import MonitorToken


def print_tokens(tokens: Sequence[MonitorToken]) -> None:
    """Print tokens, without their secrets."""
    if not tokens:
        say(spoken("There are no tokens."))
        return
    table = Table()
    for column in ("id", "name", "role", "state", "made by", "last used", "expires"):
        table.add_column(heading(column), no_wrap=column == "id", overflow="fold")
    for token in tokens:
        role = token.role + ("+personal" if token.personal else "")
        used = local(token.used_at) if token.used_at else "–"
        table.add_row(token.id, token.name, role, token.state, token.created_by, used, local(token.expires_at))
    out.print(table)
    say(spoken("Times in {zone}.", zone=zone_name()), "dim")
