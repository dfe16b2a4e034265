"""Whether real traffic of a model has succeeded lately: then no probe is needed."""

from datetime import datetime

from growbin_jobs.engine.central.database import Database
from growbin_jobs.platform.tables.facts import ApiCall


def succeeded_since(database: Database, model: str, since: datetime) -> bool:
    """Return whether a call of a model has succeeded since a time. Raises Deferred when the database is away."""
    row = ApiCall
    query = row.select(row.id).where((row.model == model) & (row.at >= since) & (row.status < 300)).limit(1)
    return bool(database.rows(query))
