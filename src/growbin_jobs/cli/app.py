"""The command line: all commands in one table. Nothing here starts anything: ``--help`` must be instant."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from growbin_jobs import __version__
from growbin_jobs.cli import (
    analyze,
    archive,
    audit,
    batches,
    breakers,
    budgets,
    bulk,
    configuration,
    dead,
    dead_verbs,
    demo,
    doctor,
    health,
    journal,
    limits,
    mcp,
    models,
    monitor,
    node_health,
    old_rows,
    platform,
    prove,
    queues,
    reports,
    reruns,
    schedule,
    schedule_verbs,
    scheduler,
    stats,
    streams,
    subject,
    tasks,
    top,
    usage,
    webhooks,
    workers,
)
from growbin_jobs.cli.console import complain, print_line
from growbin_jobs.cli.escapes import explain_escapes
from growbin_jobs.cli.made_late import put_below
from growbin_jobs.engine.sqlite.patience import wait_briefly
from growbin_jobs.errors import ConfigurationError, GrowbinError

_Each = TypeVar("_Each")

_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def _group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, no_args_is_help=True, context_settings=_HELP)


app = typer.Typer(
    name="growbin-jobs",
    help="Workers of the recycling app, and the commands that look after them.",
    epilog="Start with `growbin-jobs up`, and in another terminal `growbin-jobs analyze photo.jpg`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals may hold keys
    context_settings=_HELP,
)
GROUPS = {
    "rules": _group("The sorting rules."),
    "db": _group("The central database."),
    "journal": _group("The node's journal: what it did, and what it still has to send and copy."),
    "dead": _group("Dead letters: messages that were given up."),
    "bulk": _group("Bulk jobs: one thing done to many dead letters, with a preview, at a pace."),
    "budgets": _group("Budgets: what requests to models may cost in a day."),
    "models": _group("Models: trying another one before you switch to it; what their servers take."),
    "queues": _group("Queues: what waits in them, and pausing them."),
    "tasks": _group("Tasks: what became of messages."),
    "breakers": _group("Breakers: what is not asked for now, and why."),
    "batches": _group("Batches: paid calls that have a day's time, at half the price."),
    "limits": _group("The limits of paid calls: what is used, what waits, and the proof that they were kept."),
    "schedule": _group("Periodic jobs: when they are due, and what became of them."),
    "health": _group("Health of agents and models."),
    "stats": _group("Statistics of days, weeks and months."),
    "platform": _group("The agent platform."),
    "monitor": typer.Typer(callback=monitor.serve, invoke_without_command=True, context_settings=_HELP),
    "prove": typer.Typer(callback=prove.prove, invoke_without_command=True, context_settings=_HELP),
    "monitor token": _group("Tokens that let scripts into the monitor."),
    "webhooks": _group("Webhooks: who is told of what goes wrong."),
    "audit": _group("The audit: who did and saw what."),
    "reports": _group("Weekly reports of analyses."),
    "subject": _group("Personal data: showing, handing out and erasing all that is held about one user."),
    "archive": _group("Archives: rows that left the database, and what moves them."),
}
COMMANDS: dict[str, Callable[..., None]] = {
    "analyze": analyze.analyze,
    "status": analyze.status,
    "up": workers.up,
    "worker": workers.worker,
    "scheduler": scheduler.scheduler,
    "probe": node_health.probe,
    "demo": demo.demo,
    "settings": configuration.settings,
    "doctor": doctor.doctor,
    "top": top.top,
    "mcp": mcp.mcp,
    "usage": usage.usage,
    "models rehearse": models.rehearse,
    "models servers": models.servers,
    "models forget": models.forget,
    "budgets list": budgets.list_,
    "budgets set": budgets.set_,
    "rules check": configuration.check_rules,
    "db upgrade": configuration.upgrade_database,
    "db forget": old_rows.forget,
    "journal status": journal.status,
    "journal tail": journal.tail,
    "journal verify": journal.verify,
    "journal checkpoint": journal.checkpoint,
    "journal sync": journal.sync,
    "journal drain": journal.drain,
    "dead list": dead.list_,
    "dead show": dead.show,
    "dead retry": dead_verbs.retry,
    "dead discard": dead_verbs.discard,
    "bulk list": bulk.list_,
    "bulk show": bulk.show,
    "bulk preview": bulk.preview,
    "bulk start": bulk.start,
    "bulk undo": bulk.undo,
    "bulk stop": bulk.stop,
    "bulk resume": bulk.resume,
    "tasks list": tasks.list_,
    "tasks show": tasks.show,
    "tasks tree": tasks.tree,
    "tasks retry": reruns.retry,
    "tasks run-again": reruns.run_again,
    "tasks edit": reruns.edit,
    "tasks revoke": queues.revoke,
    "tasks abort": queues.abort,
    "queues list": queues.list_,
    "queues pause": queues.pause,
    "queues resume": queues.resume,
    "queues history": queues.history,
    "breakers list": breakers.list_,
    "breakers reset": breakers.reset,
    "batches list": batches.list_,
    "batches cancel": batches.cancel,
    "limits list": limits.list_,
    "limits set": limits.set_,
    "limits plan": limits.plan,
    "limits verify": limits.verify,
    "schedule list": schedule.list_,
    "schedule preview": schedule.preview,
    "schedule plan": schedule.plan,
    "schedule history": schedule.history,
    "schedule run": schedule_verbs.run,
    "schedule pause": schedule_verbs.pause,
    "schedule resume": schedule_verbs.resume,
    "schedule verify": schedule.verify,
    "health list": health.list_,
    "health events": health.events,
    "health check": health.check,
    "stats show": stats.show,
    "stats backfill": stats.backfill,
    "stats explain": stats.explain,
    "stats accept-loss": stats.accept_loss,
    "archive list": archive.list_,
    "archive restore": archive.restore,
    "archive drill": archive.drill,
    "archive run": archive.run,
    "reports list": reports.list_,
    "reports show": reports.show,
    "subject show": subject.show,
    "subject export": subject.export,
    "subject erase": subject.erase,
    "subject erasures": subject.erasures,
    "platform seed": platform.seed,
    "monitor link": monitor.link,
    "monitor hash-password": monitor.hash_password,
    "monitor token create": monitor.create_token,
    "monitor token list": monitor.list_tokens,
    "monitor token revoke": monitor.revoke_token,
    "prove verify": prove.verify,
    "audit list": audit.list_,
    "audit verify": audit.verify,
    "audit review": audit.review,
    "webhooks list": webhooks.list_,
    "webhooks add": webhooks.add,
    "webhooks test": webhooks.try_,
    "webhooks deliveries": webhooks.deliveries,
    "webhooks again": webhooks.again,
    "webhooks pause": webhooks.pause,
    "webhooks resume": webhooks.resume,
    "webhooks remove": webhooks.remove,
}


#: Those that only read: none of them waits for long for a file that somebody keeps locked.
READING = frozenset({
    "status", "doctor", "top", "usage", "models servers", "budgets list", "journal status", "journal tail", "dead list",
    "dead show", "bulk list", "bulk show", "tasks list", "tasks show", "tasks tree", "queues list", "queues history",
    "breakers list", "batches list", "limits list", "limits plan", "limits verify", "schedule list", "schedule preview",
    "schedule plan", "schedule history", "schedule verify", "health list", "health events", "stats show",
    "stats explain", "archive list", "reports list", "reports show", "subject show", "subject erasures",
    "monitor token list", "prove", "audit list", "audit verify", "audit review", "webhooks list", "webhooks deliveries",
})  # fmt: skip


#: Those that a supervisor of the system starts again and again, unless their exit code says that a person is needed.
SERVICES = (["up"], ["worker"], ["scheduler"])


def _below(path: str, table: Mapping[str, _Each]) -> dict[str, _Each]:
    """Return the part of a table that is right below a path, by the last word."""
    words = ((each.rpartition(" "), value) for each, value in table.items())
    return {name: value for (parent, _, name), value in words if parent == path}


for _path, _typer in {"": app, **GROUPS}.items():
    put_below(_typer, _below(_path, COMMANDS), _below(_path, GROUPS))


def _show_version(wanted: bool) -> None:
    if wanted:
        print_line(f"growbin-jobs {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", metavar="", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None: ...


def run() -> None:
    """Run the command line. Errors of our tree become a sentence on stderr, not a traceback."""
    streams.prepare()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # whoever started this may have blocked what is to end it
    if logging.lastResort is not None:
        logging.lastResort.addFilter(_says_something_new)
    if any(" ".join(sys.argv[1:end]) in READING for end in (2, 3, 4)):
        wait_briefly()
    try:
        _run()
    except streams.OutputLost as error:
        streams.abandon_stdout()
        if error.broken_pipe:  # the reader has gone, as ``head`` does
            sys.exit(1)
        _complain(error)
        sys.exit(os.EX_IOERR)
    except GrowbinError as error:
        _complain(error)
        wrong = isinstance(error, ConfigurationError) and sys.argv[1:2] in SERVICES
        sys.exit(os.EX_CONFIG if wrong else 1)
    except Exception as error:
        if not _is_broker_away(error):
            raise
        _complain(error, "`growbin-jobs doctor` says what to do.")
        sys.exit(1)


def _is_broker_away(error: Exception) -> bool:
    """Return whether a broker of this package has raised it; who has not loaded that, and Dramatiq, need not now."""
    errors = sys.modules.get("growbin_jobs.engine.broker.errors")
    return errors is not None and isinstance(error, errors.AWAY)


def _says_something_new(record: logging.LogRecord) -> bool:
    """Leave out each try to connect, of a command that will say itself that the broker is away. Services log them."""
    return not record.getMessage().startswith("amqp.connect_failed")


def _complain(error: Exception, remedy: str = "") -> None:
    with contextlib.suppress(OSError):  # stderr is closed or full too
        complain("error", f"{error} {remedy}".rstrip())


def _run() -> None:
    try:
        app()
    finally:
        sys.stdout.flush()
        if (encoding := streams.lacking_encoding()) is not None:
            explain_escapes(encoding)
