"""``growbin-jobs worker`` and ``growbin-jobs up``."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.supervised import Notice, Plan, become_supervisor
from growbin_jobs.names import GROUPS

if TYPE_CHECKING:
    from growbin_jobs.engine.config import EngineConfig
    from growbin_jobs.engine.groups import Group

_READY = "Ready. Try, in another terminal: growbin-jobs analyze photo.jpg"

#: Names of the scheduler and the monitor among a supervisor's children.
_SCHEDULER = "scheduler"
_MONITOR = "monitor"

Processes = Annotated[int | None, typer.Option(help="Worker processes, instead of the group's own number.", min=1)]
Threads = Annotated[int | None, typer.Option(help="Threads or greenlets of each process.", min=1)]


def worker(
    group: Annotated[
        str | None,
        typer.Argument(
            help="storage or ai; default: WORKER_TYPE. Or a module that has an engine of your own, such as orders.jobs."
        ),
    ] = None,
    only: Annotated[str | None, typer.Option("--group", help="Of a module's groups only this one.")] = None,
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
      growbin-jobs worker orders.jobs --group mail
    """
    import shlex

    from growbin_jobs.cli.command_line import dramatiq_command, resized
    from growbin_jobs.engine.file_limit import require_enough_files
    from growbin_jobs.engine.folder_rights import require_usable

    config, groups = _of_growbin(group) if group is None or group in GROUPS else _of_module(group, only)
    groups = [resized(each, processes, threads) for each in groups]
    if print_command:
        for each in groups:
            print(shlex.join(dramatiq_command(each, config.shutdown_timeout)))
        return
    require_usable(config.data_dir, config.named("data_dir"))
    require_enough_files()
    become_supervisor(plan_of(config, groups, own=group is None or group in GROUPS))


def up(
    module: Annotated[
        str | None,
        typer.Argument(help="Module that has an engine of your own, such as orders.jobs. Default: Growbin's groups."),
    ] = None,
    monitor: Annotated[bool, typer.Option("--monitor/--no-monitor", help="Run the web monitor, too.")] = True,
) -> None:
    """Run all groups, a scheduler and the monitor on this machine. Ctrl-C lets running work finish; a second one
    does not. Of an engine of your own the scheduler runs
    where its module has a schedule.

    The monitor listens on 127.0.0.1, port 5555 or a free one. Without credentials in the settings it prints a link for
    one sign-in.

    \b
    Examples:
      growbin-jobs up
      growbin-jobs up --no-monitor
      OPENAI_API_KEY=… growbin-jobs up
      growbin-jobs up orders.jobs
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import monitor_command, scheduler_command, sized
    from growbin_jobs.cli.target import engine_of
    from growbin_jobs.engine.file_limit import require_enough_files
    from growbin_jobs.engine.folder_rights import require_usable
    from growbin_jobs.scheduler.schedule import schedule_of
    from growbin_jobs.wiring import engine_config

    settings = _settings.load()
    shown = monitor_command(settings, module) if monitor else None
    if monitor and shown is None:
        say(spoken("The monitor is not installed: pip install 'growbin-jobs[monitor]'."), "dim")
    if module is None:
        config, groups = engine_config(settings), [sized(group, settings) for group in GROUPS.values()]
        models = f"; models: {settings.vision_model if settings.models_online else 'offline'}"
        fires: list[str] | None = scheduler_command()
    else:
        (config, groups), models = _of_module(module, None), ""
        fires = scheduler_command(module) if schedule_of(engine_of(module)) is not None else None
    require_usable(config.data_dir, config.named("data_dir"))
    require_enough_files()
    where = "RabbitMQ" if config.broker_url else f"embedded in {config.data_dir}"
    names = [group.name for group in groups]
    become_supervisor(
        plan_of(config, groups, own=module is None, scheduler=fires, monitor=shown),
        notice=Notice(
            f"Workers of {' and '.join(names)}; broker: {where}{models}. Ctrl-C stops.",
            _READY if module is None else "Ready.",
            str(config.node_dir),
            names,
        ),
        hangup_stops=True,
    )


def _of_growbin(name: str | None) -> "tuple[EngineConfig, list[Group]]":
    """Return one of Growbin's groups, with the numbers that it runs with here."""
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import sized
    from growbin_jobs.errors import ConfigurationError
    from growbin_jobs.wiring import engine_config

    settings = _settings.load()
    name = name or settings.worker_type
    if name is None:
        raise ConfigurationError("Say which group: `growbin-jobs worker storage` or `ai`, or set WORKER_TYPE.")
    return engine_config(settings), [sized(GROUPS[name], settings)]


def _of_module(module: str, only: str | None) -> "tuple[EngineConfig, list[Group]]":
    """Return the groups of another engine, or one of them.

    Raises:
      ConfigurationError: If there is no such engine or group.
    """
    from dataclasses import replace

    from growbin_jobs.cli.target import engine_of
    from growbin_jobs.errors import ConfigurationError

    try:
        engine = engine_of(module)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error} Growbin's own groups are: {', '.join(GROUPS)}.") from None
    only = only or engine.config.group
    groups = [group for group in engine.groups if only in (None, group.name)]
    if not groups:
        names = ", ".join(group.name for group in engine.groups)
        raise ConfigurationError(f"{module} has no worker group {only!r}. It has: {names}.")
    return replace(engine.config, source=engine.source), groups


def plan_of(
    config: "EngineConfig",
    groups: "list[Group]",
    *,
    own: bool = False,
    scheduler: "list[str] | None" = None,
    monitor: "list[str] | None" = None,
) -> Plan:
    """Return what a supervisor runs for groups, with their keeper.

    Parameters:
      config: Of this node.
      groups: With the numbers that they run with.
      own: They are Growbin's.
      scheduler: Command of a scheduler to run, too.
      monitor: Command of a monitor to run, too.
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.cli.command_line import INSTALL
    from growbin_jobs.cli.shared_modules import modules_of_growbin, modules_of_storage
    from growbin_jobs.engine.supervision.commands import KEEPER, shared_modules, supervised_commands
    from growbin_jobs.engine.supervision.supervisor import STOP_MARGIN

    ours = modules_of_growbin(_settings.current(), scheduler=scheduler is not None) if own else []
    storage = modules_of_storage(_settings.current()) if own else []
    return Plan(
        supervised_commands(config, groups)
        | ({_SCHEDULER: scheduler} if scheduler else {})
        | ({_MONITOR: monitor} if monitor else {}),
        companions=[KEEPER, _SCHEDULER, _MONITOR],
        grace=config.shutdown_timeout + config.final_sync_timeout + STOP_MARGIN,
        install=INSTALL,
        folder=str(config.node_dir),
        loaded=shared_modules(config) + ours,
        loaded_with_greenlets=shared_modules(config, greenlets=True) + storage,
    )
