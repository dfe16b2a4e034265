"""Measure parts of the project on this machine, side by side with the obvious way.

\b
Examples:
  scripts/bench crashes --kills 1
  scripts/bench delays
  scripts/bench gate
  scripts/bench gate-deliveries
  scripts/bench gate-proof
  scripts/bench images
  scripts/bench images --json > images.json
  scripts/bench journal
  scripts/bench monitor
  scripts/bench outage
  scripts/bench pipeline
  scripts/bench publishing
  scripts/bench statistics
  scripts/bench sync
  scripts/bench tasks --quick
"""

import typer

from benchmarks import (
    crashes,
    delays,
    gate,
    gate_deliveries,
    gate_proof,
    images,
    journal,
    outage,
    publishing,
    statistics_day,
    sync,
)
from benchmarks.monitor.command import command as monitor
from benchmarks.pipeline.command import command as pipeline
from benchmarks.tasks.command import command as tasks

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.command("crashes")(crashes.command)
app.command("delays")(delays.command)
app.command("gate")(gate.command)
app.command("gate-deliveries")(gate_deliveries.command)
app.command("gate-proof")(gate_proof.command)
app.command("images")(images.command)
app.command("journal")(journal.command)
app.command("monitor")(monitor)
app.command("outage")(outage.command)
app.command("pipeline")(pipeline)
app.command("publishing")(publishing.command)
app.command("statistics")(statistics_day.command)
app.command("sync")(sync.command)
app.command("tasks")(tasks)


@app.callback()
def group() -> None:
    """Keep subcommands even while there is one only."""


app(prog_name="scripts/bench")
