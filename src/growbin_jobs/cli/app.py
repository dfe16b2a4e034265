"""All commands on one page. Nothing here boots anything: ``--help`` must be instant."""

import sys

import typer

from growbin_jobs.cli import analyze, configuration, demo, doctor, workers
from growbin_jobs.cli.console import complain
from growbin_jobs.errors import GrowbinError

app = typer.Typer(
    name="growbin-jobs",
    help="Photograph a piece of waste, learn how to sort it: the workers and the tools around them.",
    epilog="Start with `growbin-jobs up`, and in another terminal `growbin-jobs analyze photo.jpg`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals may hold keys
)
rules = typer.Typer(help="The sorting rules.", no_args_is_help=True)
db = typer.Typer(help="The central database.", no_args_is_help=True)

app.command("analyze")(analyze.analyze)
app.command("status")(analyze.status)
app.command("up")(workers.up)
app.command("worker")(workers.worker)
app.command("demo")(demo.demo)
app.command("settings")(configuration.settings)
app.command("doctor")(doctor.doctor)
rules.command("check")(configuration.check_rules)
db.command("upgrade")(configuration.upgrade_database)
app.add_typer(rules, name="rules")
app.add_typer(db, name="db")


def run() -> None:
    """Run it; our own errors are sentences for a person, not tracebacks."""
    try:
        app()
    except GrowbinError as error:
        complain("error", str(error))
        sys.exit(1)
