"""The engine's configuration: plain values, given by the application. Nothing here is read from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from growbin_jobs.engine.groups import Group

if TYPE_CHECKING:
    from growbin_jobs.engine.periodic.timetable import PeriodicJob


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Everything that the engine must be told.

    Attributes:
      node: Name of this node; rows and monitors show it.
      node_dir: Folder of what belongs to this node alone: its journal, its locks.
      source: Import string ``module:function`` of what returns this configuration, for the keeper's process.
      become_keeper: Function of a module's top level that calls ``exec_keeper`` (``middleware/ensure_keeper.py``):
        dramatiq forks a process and finds it there by its name. None: workers start the keeper, some seconds later.
      version: Of the application, as monitors show it.
      environment: Environment variables of the processes that the engine starts.
      groups: The worker groups that there are.
      group: The one that this process belongs to; None in a producer.
      broker_url: ``amqp://…``, several separated by ``;``. None: the embedded broker at ``embedded_broker_path``.
      embedded_broker_path: File of the embedded broker.
      queue_type: Kind of queue that is declared on RabbitMQ.
      publisher_connections: Publishing connections to RabbitMQ of each process.
      publish_timeout: Seconds to wait for a confirm.
      send_patience: Seconds without a confirm before a producer's message is kept in the journal. 0: never kept.
      database_url: ``postgresql://…`` or ``sqlite:///…``. None: SQLite at ``embedded_database_path``.
      embedded_database_path: File of the embedded central database.
      database_pool_size: Connections to PostgreSQL of one process, at most.
      database_timeout: Seconds to wait for a connection or for one statement.
      schema: Packages whose ``migrations`` make the central database's schema.
      deferral_wait: Seconds to wait before asking again for a service that is away.
      deferral_max_age: Seconds that a message may be put off in all.
      journal_free_floor: Bytes that must be free on the journal's disk to take new messages.
      timezone: IANA name of the zone of everything that is due at a time of day.
      sync_interval: Seconds between two copies of the journal to the central database.
      sync_batch: Journal rows that are copied in one transaction.
      relay_after: Seconds that a task's messages are left to the worker that made them.
      final_sync_timeout: Seconds that the keeper of a stopping node tries to copy the rest.
      keep_tasks_days: Days that the journal keeps tasks which the central database has.
      keep_dead_letters_days: Days that the journal keeps dead letters.
      periodic_jobs: Make the application's own jobs of the keeper, each from this configuration.
      crashpoint: For tests: where the process kills itself (:mod:`growbin_jobs.engine.crashpoints`).
    """

    node: str
    node_dir: Path
    source: str
    become_keeper: Callable[[], int] | None = None
    version: str = "0"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    groups: tuple[Group, ...] = ()
    group: str | None = None

    broker_url: str | None = field(default=None, repr=False)
    embedded_broker_path: Path
    queue_type: Literal["quorum", "classic"] = "quorum"
    publisher_connections: int = 1
    publish_timeout: float = 30.0
    send_patience: float = 0.5

    database_url: str | None = field(default=None, repr=False)
    embedded_database_path: Path
    database_pool_size: int = 20
    database_timeout: float = 10.0
    schema: tuple[str, ...] = ("growbin_jobs.engine.central",)
    deferral_wait: float = 5.0
    deferral_max_age: float = 86_400.0

    journal_free_floor: int = 256_000_000
    timezone: str = "UTC"
    sync_interval: float = 0.5
    sync_batch: int = 5000
    relay_after: float = 30.0
    final_sync_timeout: float = 10.0
    keep_tasks_days: float = 7.0
    keep_dead_letters_days: float = 90.0
    periodic_jobs: tuple[Callable[[EngineConfig], PeriodicJob], ...] = ()

    crashpoint: str | None = None

    @property
    def journal_path(self) -> Path:
        """The node's journal."""
        return self.node_dir / "task_queue.db"
