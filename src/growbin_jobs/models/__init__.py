"""Growbin's own tables in the central database: what the whole cluster knows about each analysis."""

from typing import Final

from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA, Schema

#: What the monitor of any engine needs beside the engine's tables: who may do what, and who did what.
MONITOR_SCHEMA: Final[Schema] = ("growbin_jobs.monitor",)

#: The engine's tables, these, and those of the rooms that have their own.
SCHEMA: Final[Schema] = (
    *ENGINE_SCHEMA,
    *MONITOR_SCHEMA,
    "growbin_jobs.models",
    "growbin_jobs.limits",
    "growbin_jobs.scheduler",
    "growbin_jobs.platform",
)
