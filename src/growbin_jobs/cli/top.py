"""``growbin-jobs top``: how the work goes, in a terminal, from what the monitor's pages read."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.cli.top_view import Seen
    from growbin_jobs.engine.central.database import Database


def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once and end; so it is without a terminal.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5)] = 2.0,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Show throughput, failures, waits, workers and what failed, again and again. Ctrl-C ends.

    \b
    Examples:
      growbin-jobs top
      growbin-jobs top --once
      growbin-jobs top --json | jq '.overview.actors[].actor'
    """
    from growbin_jobs.cli import target
    from growbin_jobs.cli import top_view as view
    from growbin_jobs.cli.console import out
    from growbin_jobs.operations.json_ready import as_json

    database = target.central()
    if json:
        print_json(as_json(_look(database)))
    elif once or not out.is_terminal:
        out.print(view.shown(_look(database)))
    else:
        _go_on(database, every)


def _go_on(database: "Database", every: float) -> None:
    from rich.live import Live

    from growbin_jobs.cli import top_view as view
    from growbin_jobs.cli.console import out
    from growbin_jobs.errors import Deferred

    with Live(view.shown(_look(database)), console=out, screen=True, auto_refresh=False) as live:
        while True:
            try:
                time.sleep(every)
                live.update(view.shown(_look(database)), refresh=True)
            except Deferred as error:
                live.update(view.away(str(error)), refresh=True)
            except KeyboardInterrupt:
                return


def _look(database: "Database") -> "Seen":
    from datetime import UTC, datetime, timedelta

    from growbin_jobs.cli.top_view import Seen
    from growbin_jobs.engine.central.workers import Workers
    from growbin_jobs.operations.error_groups import error_groups
    from growbin_jobs.operations.overview import overview
    from growbin_jobs.operations.worker_states import worker_states

    now = datetime.now(UTC)
    return Seen(
        overview=overview(database, until=now),
        workers=worker_states(Workers(database), now=now),
        errors=error_groups(database, since=now - timedelta(hours=1), until=now),
    )
