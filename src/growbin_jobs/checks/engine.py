"""Checks of what every engine stands on: its data folder, broker, database and workers."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from growbin_jobs.checks.places import check_clock
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.data_folder import HOMELESS
from growbin_jobs.engine.folder_rights import MORE_ROOM, require_room, require_usable
from growbin_jobs.engine.tcp_listener import listen
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.finding import Finding

#: Least free disk in the data folder, in bytes, before a warning.
_LOW_DISK: Final = 1_000_000_000


def check_data_folder(config: EngineConfig) -> Iterator[Finding]:
    """Look whether the data folder is there, may be written, and has room."""
    folder, variable = config.data_dir, config.named("data_dir")
    require_usable(folder, variable)
    free = require_room(folder, variable, config.journal_free_floor, config.named("journal_free_floor"))
    found = f"{folder}, {free / 1e9:.1f} GB free"
    if free < _LOW_DISK:
        yield Finding("data folder", "warning", f"{found}. {MORE_ROOM.format(variable=variable)}")
    elif folder.parent == HOMELESS:
        yield Finding("data folder", "warning", f"{found}. This user has no home: set {variable} to a lasting one.")
    else:
        yield Finding("data folder", "ok", found)


def check_metrics_address(config: EngineConfig) -> Iterator[Finding]:
    """Look whether metrics and health can be served where the settings say, at any port: theirs may be ours."""
    if not (config.metrics_port or config.scheduler_metrics_port):
        return
    try:
        listen(config.metrics_host, 0, backlog=1).close()
    except OSError as error:
        yield Finding(
            "metrics", "failed",
            f"Metrics and health cannot be served at {config.metrics_host} ({error.strerror}): set "
            f"{config.named('metrics_host')} to an address of this machine, or to :: for all of them.",
        )  # fmt: skip


def check_broker(config: EngineConfig) -> Iterator[Finding]:
    """Connect to the broker, and say what is to be known of its version."""
    from growbin_jobs.engine.opening import check_broker as checked_broker

    checked = checked_broker(config)
    yield Finding("broker", "ok", checked.where)
    for status, caveat in checked.caveats:
        yield Finding("broker", status, caveat)


def check_database(config: EngineConfig, command: str) -> Iterator[Finding]:
    """Try the central database as a starting worker would need it; SQLite's file is upgraded, as that one would.

    Parameters:
      config: Of this node.
      command: What upgrades it.
    """
    from growbin_jobs.engine.central.lock_holders import lock_holders
    from growbin_jobs.engine.central.upgrade import check, tables_of
    from growbin_jobs.engine.opening import open_central, with_tables

    database = open_central(config)
    if holders := lock_holders(database, tables_of(config.schema)):
        yield from (Finding("database", "failed", str(holder)) for holder in holders)
        return  # each look at a table would wait as long as a statement may
    check(with_tables(database, config), config.schema, command)
    yield Finding("database", "ok", database.address)
    yield from check_clock(database)


def check_queues(config: EngineConfig, served: Iterable[str]) -> Iterator[Finding]:
    """Look for messages in queues from which nothing takes, such as those of a queue that a release has renamed.

    Parameters:
      config: Of this node.
      served: Queues of the actors and groups that there are.
    """
    from contextlib import closing

    from growbin_jobs.engine.broker.errors import AWAY
    from growbin_jobs.engine.inspect import Inspector
    from growbin_jobs.engine.opening import open_broker, open_central

    try:
        with closing(open_broker(config, [])) as broker:
            inspector = Inspector(config, broker, open_central(config))
            groups, queues = inspector.workers(), inspector.queues()
    except (AWAY, GrowbinError):  # said before: the broker or the database is away, or not as it must be
        return
    now = datetime.now(UTC)
    taken = {*served}.union(*(group.queues for group in groups if group.lives(now)))
    for queue in queues:
        waiting = queue.ready + (queue.delayed or 0)
        if waiting and queue.name not in taken:
            yield Finding(
                "queues", "warning",
                f"{queue.name} holds {count_of(waiting, 'message')}, and nothing takes from it. Run workers of the "
                "release that had it until it is empty, or declare an actor with this queue_name.",
            )  # fmt: skip


def check_workers(config: EngineConfig, groups: Sequence[str], up: str, worker: str) -> Iterator[Finding]:
    """Look whether workers of each group run, here or on another node.

    Parameters:
      config: Of this node.
      groups: Names of the groups.
      up: Command that starts all of them.
      worker: Command that starts one, with its name behind.
    """
    from growbin_jobs.engine.central.workers import Workers
    from growbin_jobs.engine.node.presence import present
    from growbin_jobs.engine.opening import open_central

    running = {process.group for process in present(config.node_dir).values() if process}
    with suppress(GrowbinError):  # said before; what runs here is known all the same
        now = datetime.now(UTC)
        running |= {group.group_name for group in Workers(open_central(config)).all() if group.lives(now)}
    missing = [name for name in groups if name not in running]
    if not missing:
        yield Finding("workers", "ok", f"running: {', '.join(groups)}")
    elif len(missing) == len(groups):
        yield Finding("workers", "warning", f"No worker runs. Start all groups: {up}")
    else:
        commands = ", ".join(f"{worker} {name}" for name in missing)
        yield Finding("workers", "warning", f"No worker of group {', '.join(missing)} runs. Start it: {commands}")
