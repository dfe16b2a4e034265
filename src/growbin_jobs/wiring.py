"""Builds the engine's configuration, the object store and the central database from the settings."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from growbin_jobs import __version__
from growbin_jobs import settings as _settings
from growbin_jobs.adapters.objects import ObjectStore, open_store
from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import UPGRADE_COMMAND
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.opening import open_central, open_current
from growbin_jobs.engine.periodic.timetable import Daily, Every, PeriodicJob
from growbin_jobs.messages import subject_of
from growbin_jobs.models import SCHEMA
from growbin_jobs.names import GROUPS
from growbin_jobs.settings import Settings

if TYPE_CHECKING:
    from growbin_jobs.adapters.file_cache import FileCache
    from growbin_jobs.operations.subjects.here import EraseHere

DAY = 86_400.0

#: Seconds between two looks of a node at what is to be erased.
ERASURES_EVERY = 15

#: Connections to PostgreSQL of one process for its gate: each serves some hundred questions a second.
GATE_CONNECTIONS = 4

#: Seconds that one of its questions waits for a connection in use before one more is opened. A request is under way
#: behind it, while the thread of :mod:`growbin_jobs.limits.afterwards` uses a connection for those that have ended.
GATE_GROWS_AFTER = 0.005


class HasId(Protocol):
    """A message, as far as the object store's breaker knows it."""

    @property
    def message_id(self) -> str: ...


def engine_config(settings: Settings | None = None) -> EngineConfig:
    """Return what the engine must be told.

    Parameters:
      settings: None: this process's.
    """
    settings = settings or _settings.current()
    values = settings.engine_values() | {
        "source": "growbin_jobs.app:engine",
        "version": __version__,
        "groups": tuple(GROUPS.values()),
        "upgrade_command": UPGRADE_COMMAND,
        "schema": SCHEMA,
        "subject": subject_of,
        "periodic_jobs": (
            partial(_spool_cleanup, settings),
            partial(_usage_upkeep, settings),
            partial(_audit_upkeep, settings),
            _batches_upkeep,
            partial(_files_upkeep, settings),
            partial(_erasures, settings),
            _tell_counts,
        ),
    }
    return EngineConfig(**values)


def _spool_cleanup(settings: Settings, config: EngineConfig) -> PeriodicJob:
    import logging

    from growbin_jobs.adapters.objects.spool_cleanup import ClearSpool

    # Not while a message may still be put off and need its picture, however short dead letters are kept.
    unused_after = max(config.keep_dead_letters_days * DAY, config.deferral_max_age + DAY)
    job = ClearSpool(partial(object_store, settings), unused_after, lambda: clock_of(open_central(config)))
    return PeriodicJob("spool", job, Daily(), level=logging.INFO)


def _usage_upkeep(settings: Settings, config: EngineConfig) -> PeriodicJob:
    import logging
    from zoneinfo import ZoneInfo

    from growbin_jobs.limits.usage_days import KeepUsage

    job = KeepUsage(partial(open_central, config), ZoneInfo(settings.timezone), settings.usage_days)
    return PeriodicJob("usage", job, Daily(0, 30), level=logging.INFO)


def _audit_upkeep(settings: Settings, config: EngineConfig) -> PeriodicJob:
    import logging

    from growbin_jobs.models.audit_retention import KeepAudit

    job = KeepAudit(partial(open_central, config), settings.keep_audit_days)
    return PeriodicJob("audit", job, Daily(0, 40), level=logging.INFO)


def _batches_upkeep(config: EngineConfig) -> PeriodicJob:
    import logging

    from growbin_jobs.models.batches_retention import KeepBatches

    return PeriodicJob("batches", KeepBatches(partial(open_central, config)), Daily(0, 50), level=logging.INFO)


def _tell_counts(config: EngineConfig) -> PeriodicJob:
    from growbin_jobs.metrics.count_files import NodeCounts
    from growbin_jobs.metrics.telling import EVERY, TellCounts
    from growbin_jobs.models.node_counts import NodeCountsTable

    job = TellCounts(config.node, NodeCounts(config.node_dir), NodeCountsTable(open_central(config)))
    return PeriodicJob("counts", job, Every(EVERY), at_once=True)


def _files_upkeep(settings: Settings, _config: EngineConfig) -> PeriodicJob:
    return PeriodicJob("file_cache", _kept_files(settings), Every(600))


def _kept_files(settings: Settings) -> "FileCache":
    from growbin_jobs.adapters.file_cache import FileCache

    return FileCache(
        settings.journal_path,
        settings.file_cache_folder,
        ttl=settings.file_cache_ttl,
        most=settings.file_cache_megabytes * 1_000_000,
    )


def fetched_files(settings: Settings) -> "FileCache | None":
    """Return the node's cache of pictures for stage 2; None where nothing is fetched from elsewhere."""
    if not (settings.object_store_url or "").startswith("s3:") or not settings.file_cache_megabytes:
        return None
    return _kept_files(settings)


def _erasures(settings: Settings, config: EngineConfig) -> PeriodicJob:
    import logging

    return PeriodicJob(
        "erasures", erase_here(settings, config), Every(ERASURES_EVERY), at_once=True, level=logging.INFO
    )


def erase_here(settings: Settings, config: EngineConfig) -> "EraseHere":
    """Return what looks through this node's journal for people who were erased."""
    from growbin_jobs.engine.opening import open_broker, open_journal
    from growbin_jobs.operations.subjects.here import EraseHere

    queues = {queue for group in config.groups for queue in group.queues}
    broker = open_broker(config, [])
    letters, files = partial(broker.forget_dead_letters, queues), _kept_files(settings).clear
    return EraseHere(open_journal(config, "keeper"), open_central(config), letters, files)


def object_store(settings: Settings) -> ObjectStore:
    """Return the object store that the settings name; it connects when it is first used."""
    return open_store(
        settings.object_store_url,
        data_dir=settings.data_dir,
        endpoint_url=settings.s3_endpoint_url,
        pool_size=settings.s3_pool_size,
        timeout=settings.s3_timeout,
    )


def guarded_object_store(
    settings: Settings,
    database: Database,
    running: Callable[[], HasId | None] = lambda: None,
    *,
    alone: Callable[[], bool] = lambda: False,
) -> ObjectStore:
    """Return the object store for actors: S3 behind the cluster's breaker; a folder is each node's own matter.

    Parameters:
      settings: Which store.
      database: The central one, which has the breaker.
      running: Returns the message that the caller runs, or None.
      alone: Asked when the database is away: whether S3 is asked all the same.
    """
    objects = object_store(settings)
    if not (settings.object_store_url or "").startswith("s3:"):
        return objects
    from growbin_jobs.limits.breakers import Breakers
    from growbin_jobs.limits.object_guard import GuardedObjects

    def message_id() -> str:
        message = running()
        return message.message_id if message else ""

    return GuardedObjects(objects, Breakers(database), message_id=message_id, alone=alone)


def gate_database(settings: Settings) -> Database:
    """Return the central database for what is asked before a paid call: one that is slow counts as away.

    It has connections of its own, so that it waits for nobody else's.
    """
    config = engine_config(settings)
    return open_central(
        replace(config, database_timeout=settings.limit_timeout, database_pool_size=GATE_CONNECTIONS),
        grows_after=GATE_GROWS_AFTER,
    )


def central_database(settings: Settings, *, upgraded: bool = True) -> Database:
    """Return the central database that the settings name.

    The embedded one is brought to the current schema here, since nobody else would do it; PostgreSQL connects when
    it is first used, and is upgraded by ``growbin-jobs db upgrade`` unless the setting says otherwise.

    Parameters:
      settings: Which one.
      upgraded: False leaves the schema as it is.
    """
    config = engine_config(settings)
    return open_current(config) if upgraded else open_central(config)
