"""``growbin-jobs worker`` and ``growbin-jobs up``."""

import os
import signal
from enum import StrEnum
from typing import Annotated, Any

import typer

from growbin_jobs.cli.console import say
from growbin_jobs.names import GROUPS

#: The groups that there are.
GroupChoice = StrEnum("GroupChoice", {name: name for name in GROUPS})  # type: ignore[misc]


Processes = Annotated[int | None, typer.Option(help="Worker processes, instead of the group's own number.", min=1)]
Threads = Annotated[int | None, typer.Option(help="Threads or greenlets of each process.", min=1)]


def worker(
    group: Annotated[GroupChoice | None, typer.Argument(help="storage or ai; default: WORKER_TYPE.")] = None,
    processes: Processes = None,
    threads: Threads = None,
    print_command: Annotated[
        bool, typer.Option("--print", help="Print the command line instead of running it.")
    ] = False,
) -> None:
    """Run the workers of one group, in place of this process.

    \b
    Examples:
      growbin-jobs worker storage
      growbin-jobs worker ai --processes 4 --threads 32
      WORKER_TYPE=ai growbin-jobs worker --print
    """
    import shlex

    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import worker_command
    from growbin_jobs.errors import ConfigurationError

    settings = _settings.load()
    name = group.value if group else settings.worker_type
    if name is None:
        raise ConfigurationError("Say which group: `growbin-jobs worker storage` or `ai`, or set WORKER_TYPE.")
    command = worker_command(GROUPS[name], settings, processes=processes, threads=threads)
    if print_command:
        print(shlex.join(command))
        return
    os.execv(command[0], command)  # noqa: S606


def up() -> None:
    """Run both groups on this machine, in the foreground. Ctrl-C lets running work finish; a second one does not.

    \b
    Examples:
      growbin-jobs up
      OPENAI_API_KEY=… growbin-jobs up
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import worker_command
    from growbin_jobs.cli.supervisor import STOP_MARGIN, Supervisor

    settings = _settings.load()
    commands = {str(name): worker_command(group, settings) for name, group in GROUPS.items()}
    supervisor = Supervisor(
        commands,
        grace=settings.shutdown_timeout + settings.final_sync_timeout + STOP_MARGIN,
        say=lambda words: say(words, "yellow"),
    )
    interrupts = 0

    def interrupt(_signum: int, _frame: Any) -> None:
        nonlocal interrupts
        interrupts += 1
        supervisor.request_stop() if interrupts == 1 else supervisor.kill()

    # A closed terminal (SIGHUP) too: the workers have sessions of their own and would go on without us.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupt)
    models = settings.vision_model if settings.models_online else "offline"
    where = "RabbitMQ" if settings.broker_url else f"embedded in {settings.data_dir}"
    say(f"Workers of both groups; broker: {where}; models: {models}. Ctrl-C stops.", "bold")
    with supervisor:
        code = supervisor.run()
        say("Stopping: running work may finish…" if code == 0 else "Stopping.")
    raise typer.Exit(code)
