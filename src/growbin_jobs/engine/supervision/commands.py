"""What a supervisor runs for groups of workers: a command for each worker process, and one keeper for all.

And what these load in common. Of the engine only: a module of somebody else may start a thread when it is imported, or
open a file, and such a process cannot be forked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.groups import Group
from growbin_jobs.engine.node.keeper_command import keeper_command
from growbin_jobs.engine.supervision.worker_process import worker_process_command

#: Name of the keeper among a supervisor's children.
KEEPER = "keeper"


#: Modules that all workers load.
_ENGINE = ("dramatiq.cli", "growbin_jobs.engine.engine", "growbin_jobs.engine.node.output")

#: Beside them, of workers with threads and of the keeper; of workers with greenlets.
_WITH_THREADS = ("growbin_jobs.engine.keeper.service",)
_WITH_GREENLETS = ("gevent.threadpool", "growbin_jobs.engine.central.opening", "growbin_jobs.engine.journal.journal")


def shared_modules(config: EngineConfig, *, greenlets: bool = False) -> list[str]:
    """Return the engine's modules that processes of these commands share.

    Parameters:
      config: Of the node; which broker and which database decide, too.
      greenlets: Those of workers with greenlets, which share them with each other only.
    """
    broker = "rabbitmq" if config.broker_url else "embedded"
    database = "postgres" if (config.database_url or "").startswith("postgres") else "sqlite"
    return [
        *_ENGINE,
        *(_WITH_GREENLETS if greenlets else _WITH_THREADS),
        f"growbin_jobs.engine.broker.{broker}.broker",
        f"growbin_jobs.engine.central.{database}",
    ]


def supervised_commands(
    config: EngineConfig, groups: Iterable[Group], *, source: str | None = None
) -> dict[str, list[str]]:
    """Return the commands of all worker processes of some groups and of their keeper, by name.

    Parameters:
      config: Of the node.
      groups: Each with its own module and number of processes.
      source: Import string of the engine, for the keeper; default: the configuration's. Without one there is no keeper.
    """
    commands = {}
    for group in groups:
        for number in range(1, group.processes + 1):
            name = group.name if group.processes == 1 else f"{group.name} {number}"
            commands[name] = worker_process_command(
                group.module,
                gevent=group.pool == "gevent",
                threads=group.threads,
                queues=group.queues,
                shutdown_timeout=config.shutdown_timeout,
            )
    source = source or config.source
    if source is not None:
        commands[KEEPER] = keeper_command(source, config.node_dir, os.getpid())
    return commands
