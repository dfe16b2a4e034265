"""The description of ``/api/v2``: OpenAPI as JSON, and as a page of our own, without any foreign script."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.security.permissions import PERMISSIONS, Action, require
from growbin_jobs.monitor.security.routes import routes_of

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
    """Return OpenAPI's document of what this monitor has, with the prefix in the address of the server."""
    document: dict[str, Any] = request.app.openapi()
    parts = request.app.state.services.parts
    others = {
        path.replace(":path", "")
        for path, _, actions in routes_of(request.app)
        if any(PERMISSIONS[action].of not in parts for action in actions)
    }
    document = document | {"paths": {path: its for path, its in document["paths"].items() if path not in others}}
    return document | {"servers": [{"url": request.scope.get("root_path", "") or "/"}]}
