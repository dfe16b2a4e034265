"""Audit: who did and saw what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading.audit_review import reviewed
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_AUDIT)])

_Text = Annotated[str, Query(max_length=255)]

ROWS = 100


@router.get("/audit")
def page(
    request: Request,
    who: _Text = "",
    whose: _Text = "",
    action: _Text = "",
    target: _Text = "",
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """Show rows of the chain, the newest first."""
    services: Any = request.app.state.services
    asked = {"who": who, "whose": whose, "action": action, "target": target}
    wanted = {name: value.replace("\0", "\ufffd") for name, value in asked.items() if value}
    rows = services.audit.find(before=before, limit=ROWS + 1, **wanted)
    return render(request, "audit.html", rows=rows[:ROWS], more=len(rows) > ROWS, asked=asked)


@router.get("/audit/review")
def monthly(request: Request, month: _Text = "") -> Response:
    """Show what to look over of a month; by default of the one before this. That somebody did is written down."""
    return render(request, "audit_review.html", found=reviewed(request, month))
