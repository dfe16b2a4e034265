"""``growbin-jobs worker`` and ``growbin-jobs up``."""

import os
import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import say
from growbin_jobs.names import GROUPS

if TYPE_CHECKING:
    from pathlib import Path

    from growbin_jobs.engine.groups import Group
    from growbin_jobs.engine.supervision.supervisor import Supervisor
    from growbin_jobs.settings import Settings

#: The groups that there are.
GroupChoice = StrEnum("GroupChoice", {name: name for name in GROUPS})  # type: ignore[misc]


_READY = "Ready. Try, in another terminal: growbin-jobs analyze photo.jpg"

Processes = Annotated[int | None, typer.Option(help="Worker processes, instead of the group's own number.", min=1)]
Threads = Annotated[int | None, typer.Option(help="Threads or greenlets of each process.", min=1)]


def worker(
    group: Annotated[GroupChoice | None, typer.Argument(help="storage or ai; default: WORKER_TYPE.")] = None,
    processes: Processes = None,
    threads: Threads = None,
    print_command: Annotated[
        bool, typer.Option("--print", help="Print the command line of plain dramatiq instead of running the workers.")
    ] = False,
) -> None:
    """Run the workers of one group and their keeper; a worker process that dies is replaced alone.

    The first SIGTERM or Ctrl-C lets running work finish, a second one does not; SIGHUP starts everything anew.

    \b
    Examples:
      growbin-jobs worker storage
      growbin-jobs worker ai --processes 4 --threads 32
      WORKER_TYPE=ai growbin-jobs worker --print
    """
    import shlex

    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import dramatiq_command, sized
    from growbin_jobs.errors import ConfigurationError

    settings = _settings.load()
    name = group.value if group else settings.worker_type
    if name is None:
        raise ConfigurationError("Say which group: `growbin-jobs worker storage` or `ai`, or set WORKER_TYPE.")
    chosen = sized(GROUPS[name], settings, processes=processes, threads=threads)
    if print_command:
        print(shlex.join(dramatiq_command(chosen, settings)))
        return
    supervisor = supervisor_of([chosen], settings)
    stops = _Stops(supervisor)
    with supervisor:
        code = supervisor.run()
    if stops.start_anew:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 ourselves
    raise typer.Exit(code)


def up() -> None:
    """Run both groups on this machine, in the foreground. Ctrl-C lets running work finish; a second one does not.

    \b
    Examples:
      growbin-jobs up
      OPENAI_API_KEY=… growbin-jobs up
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import sized
    from growbin_jobs.cli.ready import ReadyNotice

    settings = _settings.load()
    groups = [sized(group, settings) for group in GROUPS.values()]
    supervisor = supervisor_of(groups, settings)
    _Stops(supervisor, hangup_stops=True)
    models = settings.vision_model if settings.models_online else "offline"
    where = "RabbitMQ" if settings.broker_url else f"embedded in {settings.data_dir}"
    say(f"Workers of {' and '.join(GROUPS)}; broker: {where}; models: {models}. Ctrl-C stops.", "bold")
    ready = ReadyNotice(settings.node_dir, GROUPS, lambda: say(_READY, "bold green"))
    with supervisor, ready:
        code = supervisor.run()
        say("Stopping: running work may finish…" if code == 0 else "Stopping.")
    raise typer.Exit(code)


def supervisor_of(groups: "list[Group]", settings: "Settings", *, log: "Path | None" = None) -> "Supervisor":
    """Return a supervisor of groups and their keeper, not started yet.

    Parameters:
      groups: With the numbers that they run with.
      settings: Of this machine.
      log: File for what the processes say; None: stderr.
    """
    from growbin_jobs.cli.command_line import INSTALL
    from growbin_jobs.engine.supervision.commands import KEEPER, supervised_commands
    from growbin_jobs.engine.supervision.supervisor import STOP_MARGIN, Supervisor
    from growbin_jobs.wiring import engine_config

    return Supervisor(
        supervised_commands(engine_config(settings), groups),
        grace=settings.shutdown_timeout + settings.final_sync_timeout + STOP_MARGIN,
        companions=[KEEPER],
        log=log,
        say=lambda words: say(words, "yellow"),
        install=INSTALL,
    )


class _Stops:
    """Signals of a supervisor: the first one lets the workers drain, a second one ends them at once.

    Parameters:
      supervisor: Of the workers.
      hangup_stops: A closed terminal too: the workers have sessions of their own and would go on without us.
    """

    def __init__(self, supervisor: "Supervisor", *, hangup_stops: bool = False) -> None:
        self._supervisor = supervisor
        self._hangup_stops = hangup_stops
        self._signals = 0
        self.start_anew = False
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._stop)

    def _stop(self, signum: int, _frame: Any) -> None:
        self._signals += 1
        self.start_anew = signum == signal.SIGHUP and not self._hangup_stops
        self._supervisor.request_stop() if self._signals == 1 else self._supervisor.kill()
