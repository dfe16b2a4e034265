"""The storage group: I/O bound stages, under gevent. Entry point of ``dramatiq growbin_jobs.storage``.

Importing it declares the actors and loads nothing that only a worker needs (see :mod:`growbin_jobs.storage.bootstrap`).
"""

from growbin_jobs.storage.actors import record_failure, retrieve_rule, upload_image, write_weekly_report
from growbin_jobs.storage.platform_actors import (
    aggregate_daily,
    aggregate_monthly,
    aggregate_weekly,
    check_agent_health,
    check_all_agents,
    compress_statistics,
    old_logs,
    old_sessions,
)

__all__ = [
    "aggregate_daily",
    "aggregate_monthly",
    "aggregate_weekly",
    "check_agent_health",
    "check_all_agents",
    "compress_statistics",
    "old_logs",
    "old_sessions",
    "record_failure",
    "retrieve_rule",
    "upload_image",
    "write_weekly_report",
]
