"""The description of ``/api/v2``: OpenAPI as JSON, and as a page of our own, without any foreign script."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """Return the description as OpenAPI 3.1."""
    return JSONResponse(described(request))


@router.get("/docs")
def page(request: Request) -> Response:
    """Show the description to people."""
    return render(request, "api.html", api=described(request))


def described(request: Request) -> dict[str, Any]:
    """Return OpenAPI's document, with the prefix in the address of the server."""
    document: dict[str, Any] = request.app.openapi()
    return document | {"servers": [{"url": request.scope.get("root_path", "") or "/"}]}
