"""From the configuration to a broker, a journal and the central database. Nothing connects before it is used."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from dramatiq import Middleware
from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.broker.port import Checked
from growbin_jobs.engine.central.pool import GROWS_AFTER
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.file_system import require_locks_and_maps
from growbin_jobs.engine.text import count_of

if TYPE_CHECKING:
    from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.journal.journal import Journal


def open_broker(
    config: EngineConfig, middleware: list[Middleware], *, journal: Callable[[], Journal] | None = None
) -> EmbeddedBroker | RabbitBroker:
    """Return the broker that the configuration names; it connects when it is first used.

    Parameters:
      config: ``broker_url`` unset means the embedded broker.
      middleware: The ordered stack; it must be there before actors are declared.
      journal: Returns the process's journal, for what cannot be sent to RabbitMQ for now; None: sending fails then.
    """
    if config.broker_url is None:
        from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker

        return EmbeddedBroker(config.embedded_broker_path, middleware=middleware)
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
    from growbin_jobs.engine.forwarding.forwarder import StoreAndForward

    store_and_forward = None
    if journal is not None and config.send_patience > 0:
        store_and_forward = StoreAndForward(journal, config.journal_path, config.send_patience)
    return RabbitBroker(
        url=config.broker_url,
        middleware=middleware,
        queue_type=config.queue_type,
        publisher_connections=config.publisher_connections,
        publish_timeout=config.publish_timeout,
        store_and_forward=store_and_forward,
        setting=config.named("broker_url"),
    )


def check_broker(config: EngineConfig) -> Checked:
    """Try the broker, for ``growbin-jobs doctor``; return where it is, and what is to be known about its version.

    Raises:
      ConfigurationError: With what is wrong and how to mend it.
    """
    return _check_rabbitmq(config.broker_url, config) if config.broker_url else _check_local(config)


def _check_local(config: EngineConfig) -> Checked:
    from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker

    path = config.embedded_broker_path
    broker = EmbeddedBroker(path, middleware=[])
    try:
        waiting = sum(depth.ready for depth in broker.depths().values())
    except BrokerConnectionError as error:
        raise ConfigurationError(f"The embedded broker's file {path} cannot be used: {error}") from None
    finally:
        broker.close()
    return Checked(f"embedded, {path}, {count_of(waiting, 'message')} ready")


def _check_rabbitmq(url: str, config: EngineConfig) -> Checked:
    from growbin_jobs.engine.broker.rabbitmq.check import check

    queues = [queue for group in config.groups for queue in group.queues]
    return check(url, queues, config.queue_type, config.named("broker_url"))


def open_journal(config: EngineConfig, worker: str | None = None) -> Journal:
    """Return the journal that the configuration names; each process opens the file when it first uses it.

    Imported here, since producers need it only while the broker is away.

    Parameters:
      worker: Name of this process's kind in rows; default: the worker group of the config.

    Raises:
      ConfigurationError: If SQLite is too old for several writers, or the file system of its folder has no locks.
    """
    from growbin_jobs.engine.journal.journal import Journal

    with suppress(OSError):  # whoever uses the journal is told, and may wait until it can be had
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_locks_and_maps(config.data_dir, config.named("data_dir"))
    return Journal(
        config.journal_path,
        node=config.node,
        worker=worker or config.group or "process",
        free_floor=config.journal_free_floor,
    )


def upgrade_command(config: EngineConfig) -> str:
    """Return the command that brings the central database to the current schema, as a person would type it."""
    from growbin_jobs.engine.central.driver import UPGRADE_COMMAND

    return config.upgrade_command or f"{UPGRADE_COMMAND} --engine {config.source or 'MODULE'}"


def open_central(config: EngineConfig, *, grows_after: float = GROWS_AFTER) -> Database:
    """Return the central database that the configuration names; it connects when it is first used.

    Parameters:
      config: Which one.
      grows_after: Seconds to wait for a connection in use before one more is opened (PostgreSQL).

    Raises:
      ConfigurationError: When the URL cannot be read, or the driver is not installed.
    """
    from growbin_jobs.engine.central.opening import open_database

    return open_database(
        config.database_url,
        default_path=config.embedded_database_path,
        pool_size=config.database_pool_size,
        timeout=config.database_timeout,
        deferral_wait=config.deferral_wait,
        setting=config.named("database_url"),
        folder_setting=config.named("data_dir"),
        grows_after=grows_after,
        upgrade_command=upgrade_command(config),
    )


def open_current(config: EngineConfig) -> Database:
    """Return the central database; a SQLite file is brought to the current schema, since nobody else may have.

    Raises:
      ConfigurationError, Deferred: When that file cannot be opened or upgraded.
    """
    return with_tables(open_central(config), config)


def with_tables(database: Database, config: EngineConfig) -> Database:
    """Return a database, brought to the current schema where the configuration lets any process do that.

    Raises:
      ConfigurationError, Deferred: When it cannot be opened or upgraded.
    """
    from growbin_jobs.engine.central.upgrade import upgrade

    if config.upgrades_database:
        upgrade(database, config.schema)
    return database
