"""``/api/v2/audit``: who did and saw what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.models.audit import AuditRecord
from growbin_jobs.models.audit_review import AuditReview
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading.audit_review import reviewed
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(tags=["audit"], dependencies=[require(Action.SEE_AUDIT)])

_Text = Annotated[str | None, Query(max_length=255)]


@router.get("/audit", response_model=list[AuditRecord])
def audit(
    request: Request,
    who: _Text = None,
    whose: _Text = None,
    action: _Text = None,
    target: _Text = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="Only rows with a smaller number.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Return rows of the chain, the newest first. ``at`` is ISO 8601, ``details`` JSON as text."""
    chosen = {"who": who, "whose": whose, "action": action, "target": target}
    wanted = {name: value.replace("\0", "\ufffd") for name, value in chosen.items() if value}
    found = request.app.state.services.audit.find(before=before, limit=limit, **wanted)
    return StrictAnswer(found)


@router.get("/audit/review", response_model=AuditReview)
def monthly(
    request: Request, month: Annotated[str, Query(max_length=20, description="2026-11; default: the last one.")] = ""
) -> Response:
    """Return what to look over of a month: who came, as what, from where, whose data they saw, what they took."""
    return StrictAnswer(reviewed(request, month))
