"""Batches of paid calls: a list, and one with its questions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading.batches import Which, batch_of, batches_of
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_MONEY)])

_Cursor = Annotated[str | None, Query(max_length=6000)]


@router.get("/batches")
def page(request: Request, which: Annotated[str, Query(max_length=20)] = "", cursor: _Cursor = None) -> Response:
    """Show what waits for the next batch, and batches, the newest first."""
    services: Any = request.app.state.services
    chosen, problem = Which(which) if which in list(Which) else None, None
    try:
        found = batches_of(services, chosen, cursor)
    except SearchError as error:
        found, problem = batches_of(services, chosen, None), str(error)
    choices = [each.value for each in Which]
    return render(request, "batches.html", page=found, chosen=chosen, choices=choices, problem=problem)


@router.get("/batches/{batch_id:path}")
def batch(request: Request, batch_id: str, cursor: _Cursor = None) -> Response:
    """Show one batch with its questions."""
    services, problem = request.app.state.services, None
    try:
        found = batch_of(services, batch_id, cursor)
    except SearchError as error:
        found, problem = batch_of(services, batch_id, None), str(error)
    return render(request, "batch.html", view=found, its=found.batch, problem=problem)
