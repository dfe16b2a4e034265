"""All commands on one page. Nothing here boots anything: ``--help`` must be instant."""

import sys

import typer

from growbin_jobs.cli import analyze, configuration, dead, demo, doctor, journal, tasks, workers
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
journals = typer.Typer(help="The node's journal: what it did and still owes.", no_args_is_help=True)
letters = typer.Typer(help="Messages that were given up.", no_args_is_help=True)
messages = typer.Typer(help="What became of messages.", no_args_is_help=True)

app.command("analyze")(analyze.analyze)
app.command("status")(analyze.status)
app.command("up")(workers.up)
app.command("worker")(workers.worker)
app.command("demo")(demo.demo)
app.command("settings")(configuration.settings)
app.command("doctor")(doctor.doctor)
rules.command("check")(configuration.check_rules)
db.command("upgrade")(configuration.upgrade_database)
journals.command("status")(journal.status)
journals.command("tail")(journal.tail)
journals.command("verify")(journal.verify)
journals.command("checkpoint")(journal.checkpoint)
journals.command("sync")(journal.sync)
journals.command("drain")(journal.drain)
letters.command("list")(dead.list_)
letters.command("show")(dead.show)
letters.command("retry")(dead.retry)
letters.command("discard")(dead.discard)
messages.command("show")(tasks.show)
app.add_typer(rules, name="rules")
app.add_typer(db, name="db")
app.add_typer(journals, name="journal")
app.add_typer(letters, name="dead")
app.add_typer(messages, name="tasks")


def run() -> None:
    """Run it; our own errors are sentences for a person, not tracebacks."""
    try:
        app()
    except GrowbinError as error:
        complain("error", str(error))
        sys.exit(1)
