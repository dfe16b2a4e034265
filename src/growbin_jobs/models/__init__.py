"""Growbin's own tables in the central database: what the whole cluster knows about each analysis."""

from typing import Final

from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA, Schema

#: The engine's tables, these, those of the limits of paid calls, and those of the schedule.
SCHEMA: Final[Schema] = (*ENGINE_SCHEMA, "growbin_jobs.models", "growbin_jobs.limits", "growbin_jobs.scheduler")
