"""The transport by HTTP: one message is one POST, answered at once; there is no session and no stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from growbin_jobs.monitor.api.mcp.answering import VERSIONS, answered
from growbin_jobs.monitor.api.mcp.asking import Asker
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.people import Identity
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False)


@router.post("/api/mcp")
async def message(request: Request, person: Annotated[Identity, require(Action.SEE_STATE)]) -> Response:
    """Answer one message of the Model Context Protocol."""
    version = request.headers.get("mcp-protocol-version")
    if version is not None and version not in VERSIONS:
        return PlainTextResponse(f"Versions of the protocol: {', '.join(VERSIONS)}.", 400)
    asker = Asker(person, request.scope.get("client"), request.scope["headers"])
    answer = await answered(request.app, asker, await request.body())
    return Response(status_code=202) if answer is None else StrictAnswer(answer)
