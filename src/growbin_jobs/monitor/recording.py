"""Writes down in the audit chain what the asker of a request does or sees; call it before it happens."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from growbin_jobs.models.audit import AuditEntry
from growbin_jobs.monitor.security.identify import identity_of
from growbin_jobs.monitor.security.origins import client_address
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.monitor.words import language_of, words_in


def record(
    request: Request,
    action: str,
    *,
    target: str = "",
    whose: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write down who does what, from where, whose data it is, and why.

    Parameters:
      action: Such as ``task.retried`` or ``photo.seen``.
      target: With which thing.
      whose: Id of the user whose personal data it is; empty where it is nobody's.
      reason: Why, in the asker's words; empty: what the body of the request says.
      details: More, ready for JSON; no personal data.

    Raises:
      Away: The database is away; then the thing must not happen.
    """
    state, identity = request.app.state, identity_of(request)
    entry = AuditEntry(
        who=identity.name if identity else "",
        role=str(identity.grant) if identity else "",
        address=client_address(state.config.proxy, request),
        action=action,
        target=target,
        whose=whose,
        reason=reason or getattr(request.state, "reason", ""),
        details=details or {},
    )
    state.services.audit.append(entry)


def checked_reason(request: Request, reason: str | None) -> str:
    """Return the reason that somebody gives, without blanks around it.

    Raises:
      BadInput: There is none: who exports personal data must say why.
    """
    text = (reason or "").strip()
    if len(text) < 3:
        words = words_in(language_of(request, request.app.state.config.language))
        raise BadInput(words("refused.reason"))
    return text[:500]
