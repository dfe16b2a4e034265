"""The review of a month of the audit, for one request."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request

from growbin_jobs.errors import ConfigurationError
from growbin_jobs.models.audit_review import AuditReview, review
from growbin_jobs.monitor.reading.seen import record_look
from growbin_jobs.monitor.security.refusals import BadInput


def reviewed(request: Request, month: str) -> AuditReview:
    """Return the review of a month, by default of the one before this; that it was reviewed is a row of the audit.

    Parameters:
      month: ``2026-11``; empty: the last one.

    Raises:
      BadInput: That is no month, or one to come.
      Deferred: The database is away.
    """
    services: Any = request.app.state.services
    zone = ZoneInfo(services.engine.timezone)
    last = (datetime.now(zone).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    try:
        found = review(services.database, month or last, zone)
    except ConfigurationError as error:
        raise BadInput(str(error)) from None
    record_look(request, "audit.reviewed", target=found.month, whose="")
    return found
