"""Growbin's own tables in the central database: what the whole cluster knows about each analysis."""

from typing import Final

from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA, Schema

#: The engine's tables, these, and those of the rooms that have their own.
SCHEMA: Final[Schema] = (
    *ENGINE_SCHEMA,
    "growbin_jobs.models",
    "growbin_jobs.limits",
    "growbin_jobs.scheduler",
    "growbin_jobs.platform",
)
