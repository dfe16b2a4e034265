"""Writes down in the audit what somebody does on the command line; call it before it happens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from growbin_jobs.cli.person import name_of_person

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database


def record(
    database: "Database", action: str, *, target: str, reason: str = "", details: Mapping[str, Any] | None = None
) -> None:
    """Write it down; an engine of one's own has an audit where it has a monitor.

    Parameters:
      database: The central one.
      action: Such as ``token.created``; what the monitor does, too, has its name there.
      target: With which thing.
      reason: Why, in their own words.
      details: More, ready for JSON; no personal data.

    Raises:
      Deferred: The database is away; then the thing must not happen.
    """
    from growbin_jobs.cli import target as engine
    from growbin_jobs.engine.central.upgrade import pending
    from growbin_jobs.models import MONITOR_SCHEMA

    if engine.is_growbin() or not pending(database, MONITOR_SCHEMA):
        from growbin_jobs.models.audit import Audit, AuditEntry

        entry = AuditEntry(
            who=name_of_person(), role="cli", address="cli", action=action, target=target, reason=reason,
            details=details or {},
        )  # fmt: skip
        Audit(database).append(entry)
