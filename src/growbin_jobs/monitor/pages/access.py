"""Access: who is signed in, which tokens are valid; an administrator can end both."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.monitor.pages.links import link
from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.people import Identity
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False)


@router.get("/access", dependencies=[require(Action.SEE_ACCESS)])
def page(request: Request) -> Response:
    """Show sessions, tokens and the users of the settings."""
    services = request.app.state.services
    return render(request, "access.html", sessions=services.sessions.all(), tokens=services.tokens.all())


@router.post("/access/sessions/end")
def end_session(
    request: Request,
    _: Annotated[Identity, require(Action.CHANGE_ACCESS)],
    session: Annotated[str, Form(max_length=100)],
) -> Response:
    """End somebody's session."""
    record(request, "session.ended_by_admin", target=session)
    request.app.state.services.sessions.end(session)
    request.app.state.live.end_session(session)
    return RedirectResponse(link(request, "/access"), 303)


@router.post("/access/tokens/revoke")
def revoke_token(
    request: Request,
    _: Annotated[Identity, require(Action.CHANGE_ACCESS)],
    token: Annotated[str, Form(max_length=100)],
) -> Response:
    """Make a token worthless."""
    record(request, "token.revoked", target=token)
    request.app.state.services.tokens.revoke(token)
    return RedirectResponse(link(request, "/access"), 303)
