"""From settings to the outside things that more than one room needs."""

from growbin_jobs.adapters.objects import ObjectStore, open_store
from growbin_jobs.engine.central.database import Database, open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.settings import Settings


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
    url = settings.database_url
    database = open_database(
        url.get_secret_value() if url else None,
        default_path=settings.embedded_database_path,
        pool_size=settings.database_pool_size,
        timeout=settings.database_timeout,
        deferral_wait=settings.deferral_wait,
    )
    if upgraded and upgrades_itself(settings):
        upgrade(database)
    return database


def upgrades_itself(settings: Settings) -> bool:
    """Return True when a starting process brings the database to the current schema."""
    if settings.database_auto_upgrade is not None:
        return settings.database_auto_upgrade
    return settings.database_url is None or settings.database_url.get_secret_value().startswith("sqlite:")
