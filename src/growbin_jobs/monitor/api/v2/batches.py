"""``/api/v2/batches``: batches of paid calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.monitor.acting import state as acts
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.why import Why
from growbin_jobs.monitor.reading.batches import Which, batch_of, batches_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.batch_states import BatchDetail, BatchPage

router = APIRouter()

_Cursor = Annotated[str | None, Query(max_length=6000)]
_Limit = Annotated[int, Query(ge=1, le=1000)]


class BatchNamed(BaseModel):
    """Our id of the batch that ends soon."""

    id: str


@router.get(
    "/batches", response_model=BatchPage, tags=["limits and money"], dependencies=[require(Action.SEE_MONEY)]
)  # fmt: skip
def batches(request: Request, which: Which | None = None, cursor: _Cursor = None, limit: _Limit = 50) -> Response:
    """Return batches of paid calls, the newest first, and what waits for the next one. Money in micro-dollars."""
    try:
        return StrictAnswer(batches_of(request.app.state.services, which, cursor, limit))
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)


@router.post(
    "/batches/{batch_id:path}/cancel", response_model=BatchNamed, tags=["actions"],
    dependencies=[require(Action.CANCEL_BATCH)],
)  # fmt: skip
def cancel(request: Request, batch_id: str, why: Why | None = None) -> Response:
    """Let a batch end soon: what it has answered is kept and paid for, the rest is asked in the standard tier."""
    return StrictAnswer({"id": acts.cancel_batch(request, batch_id, reason=why.reason if why else "")})


@router.get(
    "/batches/{batch_id:path}", response_model=BatchDetail, tags=["limits and money"],
    dependencies=[require(Action.SEE_MONEY)],
)  # fmt: skip
def batch(request: Request, batch_id: str, cursor: _Cursor = None, limit: _Limit = 50) -> Response:
    """Return one batch, by our id of it or the server's, with what it asks and the messages that wait for it."""
    try:
        return StrictAnswer(batch_of(request.app.state.services, batch_id, cursor, limit))
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)
