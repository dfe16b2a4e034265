"""From settings to the engine's configuration, and to the outside things that more than one room needs."""

from functools import partial

from growbin_jobs import __version__, keeper
from growbin_jobs import settings as _settings
from growbin_jobs.adapters.objects import ObjectStore, open_store
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.opening import open_central
from growbin_jobs.engine.periodic.timetable import Daily, PeriodicJob
from growbin_jobs.models import SCHEMA
from growbin_jobs.names import GROUPS
from growbin_jobs.settings import Settings

DAY = 86_400.0


def engine_config(settings: Settings | None = None) -> EngineConfig:
    """Return what the engine must be told.

    Parameters:
      settings: None: this process's. The keeper's process calls it so.
    """
    settings = settings or _settings.current()
    broker_url, database_url = settings.broker_url, settings.database_url
    return EngineConfig(
        node=settings.node,
        node_dir=settings.node_dir,
        source=keeper.CONFIG,
        become_keeper=keeper.become_keeper,
        version=__version__,
        environment=_settings.environment(),
        groups=tuple(GROUPS.values()),
        group=settings.worker_type,
        broker_url=broker_url.get_secret_value() if broker_url else None,
        embedded_broker_path=settings.embedded_broker_path,
        queue_type=settings.queue_type,
        publisher_connections=settings.publisher_connections,
        publish_timeout=settings.publish_timeout,
        send_patience=settings.send_patience,
        database_url=database_url.get_secret_value() if database_url else None,
        embedded_database_path=settings.embedded_database_path,
        database_pool_size=settings.database_pool_size,
        database_timeout=settings.database_timeout,
        schema=SCHEMA,
        deferral_wait=settings.deferral_wait,
        deferral_max_age=settings.deferral_max_age,
        journal_free_floor=settings.journal_free_floor,
        timezone=settings.timezone,
        sync_interval=settings.sync_interval,
        sync_batch=settings.sync_batch,
        relay_after=settings.relay_after,
        final_sync_timeout=settings.final_sync_timeout,
        keep_tasks_days=settings.keep_tasks_days,
        keep_dead_letters_days=settings.keep_dead_letters_days,
        periodic_jobs=(partial(_spool_cleanup, settings),),
        crashpoint=settings.crashpoint,
    )


def _spool_cleanup(settings: Settings, config: EngineConfig) -> PeriodicJob:
    import logging

    from growbin_jobs.adapters.objects.spool_cleanup import ClearSpool

    # Not while a message may still be put off and need its picture, however short dead letters are kept.
    unused_after = max(config.keep_dead_letters_days * DAY, config.deferral_max_age + DAY)
    job = ClearSpool(partial(object_store, settings), unused_after)
    return PeriodicJob("spool", job, Daily(), level=logging.INFO)


def object_store(settings: Settings) -> ObjectStore:
    """Return the object store that the settings name; it connects when it is first used."""
    return open_store(
        settings.object_store_url,
        data_dir=settings.data_dir,
        endpoint_url=settings.s3_endpoint_url,
        pool_size=settings.s3_pool_size,
        timeout=settings.s3_timeout,
    )


def central_database(settings: Settings, *, upgraded: bool = True) -> Database:
    """Return the central database that the settings name.

    The embedded one is brought to the current schema here, since nobody else would do it; PostgreSQL connects when
    it is first used, and is upgraded by ``growbin-jobs db upgrade`` unless the setting says otherwise.

    Parameters:
      settings: Which one.
      upgraded: False leaves the schema as it is.
    """
    database = open_central(engine_config(settings))
    if upgraded and upgrades_itself(settings):
        upgrade(database, SCHEMA)
    return database


def upgrades_itself(settings: Settings) -> bool:
    """Return True when a starting process brings the database to the current schema."""
    if settings.database_auto_upgrade is not None:
        return settings.database_auto_upgrade
    return settings.database_url is None or settings.database_url.get_secret_value().startswith("sqlite:")
