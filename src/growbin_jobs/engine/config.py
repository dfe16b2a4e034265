"""The engine's configuration: plain values, given by the application or read under its prefix."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.groups import Group
from growbin_jobs.engine.layout import Layout, check_node
from growbin_jobs.engine.settings import environment, with_prefix
from growbin_jobs.engine.wrong_worker import ending_a_wrong_worker

if TYPE_CHECKING:
    from growbin_jobs.engine.observers import Observer
    from growbin_jobs.engine.periodic.timetable import PeriodicJob


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig(Layout):
    """Everything that the engine must be told.

    Attributes:
      data_dir: Folder of everything embedded: the queue, the central database, and a folder for each node.
      node: Name of this node; rows and monitors show it, and its folder is called so.
      source: Import string ``module:variable`` of the :class:`~growbin_jobs.engine.engine.Engine` that has this
        configuration, for the keeper's process. None: it is found where the engine is a module's variable.
      version: Of the application, as monitors show it.
      variables: Names of the environment variables that these values come from, for sentences that say what to
        correct; by attribute.
      environment: Environment variables of the processes that the engine starts; default: this process's.
      groups: The worker groups that there are. None at all: one, of all actors.
      group: The one that this process belongs to; None in a producer.
      broker_url: ``amqp://…``, several separated by ``;``. None: the embedded broker, a file in ``data_dir``.
      queue_type: Kind of queue that is declared on RabbitMQ.
      publisher_connections: Publishing connections to RabbitMQ of each process.
      publish_timeout: Seconds to wait for a confirm.
      send_patience: Seconds without a confirm before a producer's message is kept in the journal. 0: never kept.
      database_url: ``postgresql://…`` or ``sqlite:///…``. None: SQLite, a file in ``data_dir``.
      database_pool_size: Connections to PostgreSQL of one process, at most.
      database_timeout: Seconds to wait for a connection or for one statement.
      database_auto_upgrade: The keeper brings the database to the current schema. None: where it is SQLite.
      upgrade_command: What a person runs to bring the database to the current schema. None: ``growbin-jobs db upgrade``
        for the engine that ``source`` names.
      schema: Packages whose ``migrations`` make the central database's schema.
      deferral_wait: Seconds to wait before asking again for a service that is away.
      deferral_max_age: Seconds that a message may be put off in all.
      shutdown_timeout: Seconds that a stopping worker lets running messages finish.
      journal_free_floor: Bytes that must be free on the journal's disk to take new messages.
      timezone: IANA name of the zone of everything that is due at a time of day.
      sync_interval: Seconds between two copies of the journal to the central database.
      sync_batch: Journal rows that are copied in one transaction.
      relay_after: Seconds that a task's messages are left to the worker that made them.
      final_sync_timeout: Seconds that the keeper of a stopping node tries to copy the rest.
      keep_tasks_days: Days that the journal keeps tasks which the central database has.
      keep_dead_letters_days: Days that the journal and the central database keep dead letters.
      keep_minutes_days: Days that the central database keeps the figures of each minute.
      metrics_port: Port at which observers of a keeper serve metrics and health; 0: none.
      scheduler_metrics_port: The same of a scheduler.
      metrics_host: Address that they listen at.
      log_format: ``text`` or ``json``.
      traces: Each run is a span of OpenTelemetry.
      subject: Returns what a message is about, such as the id of an order, for log lines and spans; None: nothing.
      observers: Told of each worker and each keeper that starts (:mod:`growbin_jobs.engine.observers`).
      periodic_jobs: Make the application's own jobs of the keeper, each from this configuration.
      crashpoint: For tests: where the process kills itself (:mod:`growbin_jobs.engine.crashpoints`).

    Raises:
      ConfigurationError: If the node's name is no name of a folder.
    """

    data_dir: Path
    node: str = field(default_factory=socket.gethostname)
    source: str | None = None
    version: str = "0"
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=environment, repr=False)
    groups: tuple[Group, ...] = ()
    group: str | None = None

    broker_url: str | None = field(default=None, repr=False)
    queue_type: Literal["quorum", "classic"] = "quorum"
    publisher_connections: int = 1
    publish_timeout: float = 30.0
    send_patience: float = 0.5

    database_url: str | None = field(default=None, repr=False)
    database_pool_size: int = 20
    database_timeout: float = 10.0
    database_auto_upgrade: bool | None = None
    upgrade_command: str | None = None
    schema: tuple[str, ...] = ("growbin_jobs.engine.central",)
    deferral_wait: float = 5.0
    deferral_max_age: float = 86_400.0
    shutdown_timeout: float = 60.0

    journal_free_floor: int = 256_000_000
    timezone: str = "UTC"
    sync_interval: float = 0.5
    sync_batch: int = 5000
    relay_after: float = 30.0
    final_sync_timeout: float = 10.0
    keep_tasks_days: float = 7.0
    keep_dead_letters_days: float = 90.0
    keep_minutes_days: float = 31.0
    metrics_port: int = 9090
    scheduler_metrics_port: int = 9091
    metrics_host: str = "127.0.0.1"
    log_format: Literal["text", "json"] = "text"
    traces: bool = False
    subject: Callable[[Any], str | None] | None = None
    observers: tuple[Observer, ...] = ()
    periodic_jobs: tuple[Callable[[EngineConfig], PeriodicJob], ...] = ()

    crashpoint: str | None = None

    def __post_init__(self) -> None:
        try:
            check_node(self.node)
        except ValueError as error:
            raise ConfigurationError(f"Choose another node: {error}.") from None

    @classmethod
    def from_env(cls, prefix: str, **values: Any) -> Self:
        """Return the configuration that the environment says, in variables such as ``ORDERS_BROKER_URL``.

        Nothing set means the embedded default: one machine, no server. :mod:`growbin_jobs.engine.settings` is the
        list of variables.

        Parameters:
          prefix: Of the variables' names.
          values: Attributes that win over the environment, and those that are no settings, such as ``groups``.

        Raises:
          ConfigurationError: With one line for each wrong variable; a worker of the ``dramatiq`` command says that and
            ends.
        """
        settings = with_prefix(prefix)
        read = {name: value for name, value in values.items() if name in settings.model_fields}
        with ending_a_wrong_worker():
            return cls(**settings.load(**read).engine_values() | values)

    def named(self, attribute: str) -> str:
        """Return what a person calls a value: its environment variable, or the attribute where there is none."""
        return self.variables.get(attribute, attribute)

    @property
    def upgrades_database(self) -> bool:
        """True when a starting process brings the database to the current schema."""
        if self.database_auto_upgrade is not None:
            return self.database_auto_upgrade
        return self.database_url is None or self.database_url.startswith("sqlite:")
