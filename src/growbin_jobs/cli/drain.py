"""What ``growbin-jobs journal sync`` and ``drain`` do with a journal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.cli import target
from growbin_jobs.cli.console import say
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.journal.file.quarantine import quarantined
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.keeper.jobs import Relay
from growbin_jobs.engine.node.election import keeper_pid
from growbin_jobs.engine.node.presence import present
from growbin_jobs.engine.opening import open_broker
from growbin_jobs.errors import ConfigurationError, Deferred


def refuse_if_in_use(file: Path) -> None:
    """Refuse to drain a journal that a living node works with.

    Raises:
      ConfigurationError: If it does.
    """
    keeper, workers = keeper_pid(file.parent), present(file.parent)
    if keeper or workers:
        who = f"keeper {keeper}" if keeper else f"{len(workers)} worker processes"
        raise ConfigurationError(
            f"{file} is in use ({who}). A living node sends and copies by itself; `journal sync` copies at once."
        )


@contextmanager
def opened(file: Path, *, node: str | None = None) -> Iterator[tuple[Journal, EngineConfig]]:
    """Open a journal; the name of its node is that of the configuration unless another one is given."""
    config = target.config()
    own = file.absolute() == config.journal_path.absolute()
    name = node or (config.node if own else file.absolute().parent.name)
    journal = Journal(file, node=name, worker="cli", free_floor=config.journal_free_floor)
    try:
        yield journal, config
    finally:
        journal.close()


@contextmanager
def put_aside(file: Path) -> Iterator[list[str]]:
    """Say which files were found to be damaged meanwhile; their names are in what this returns."""
    before, found = set(quarantined(file)), list[str]()
    yield found
    found += [name for name in quarantined(file) if name not in before]
    for name in found:
        say(f"{file} was damaged and is now {name}. Only messages that could be read were taken over from it.", "red")


def copy_all(journal: Journal, config: EngineConfig) -> dict[str, int]:
    """Copy everything that the central database lacks; what stands in the way is said."""
    copied = refused = 0
    sync = Sync(journal, Tasks(target.central()), batch=config.sync_batch)
    try:
        done = sync.sweep()
        copied, refused = done.rows, done.refused
        while done.behind:
            done = sync.run_once()
            copied, refused = copied + done.rows, refused + done.refused
    except Deferred as error:
        say(str(error), "red")
    return {"copied": copied, "refused": refused, "left": sync.backlog().rows}


def send_all(journal: Journal, config: EngineConfig) -> dict[str, int]:
    """Send everything that is owed to the broker; what stands in the way is said."""
    broker = open_broker(config, [])
    relay = Relay(journal, broker.forward, 0.0)
    before = relay.owed()
    try:
        relay.run_once()
    except (Deferred, BrokerConnectionError) as error:
        say(str(error), "red")
    finally:
        broker.close()
    left = relay.owed()
    return {"sent": before - left, "owed": left}
