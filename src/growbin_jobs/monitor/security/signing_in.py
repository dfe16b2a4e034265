"""Begins and ends the session of a browser."""

from starlette.requests import Request
from starlette.responses import Response

from growbin_jobs.models.audit import AuditEntry
from growbin_jobs.monitor.people import Grant, Identity
from growbin_jobs.monitor.security.identify import COOKIE
from growbin_jobs.monitor.security.origins import client_address, scheme_of


def begin_session(request: Request, answer: Response, *, name: str, kind: str, grant: Grant) -> None:
    """Begin a session and put its cookie into an answer.

    Parameters:
      answer: That the browser gets.
      name, kind, grant: Of the identity.
    """
    state = request.app.state
    address = client_address(state.config.proxy, request)
    entry = AuditEntry(who=name, role=str(grant), address=address, action="session.begun", details={"kind": kind})
    state.services.audit.append(entry)
    old = request.cookies.get(COOKIE)
    if old and (session := state.services.sessions.find(old)) is not None:
        state.services.sessions.end(session.id)  # a session of somebody else must not be found under the new one
    hours = state.config.session_hours
    _, secret = state.services.sessions.begin(
        name=name, kind=kind, role=grant.role.word, personal=grant.personal, address=address, hours=hours
    )
    answer.set_cookie(
        COOKIE, secret, max_age=int(hours * 3600), path=request.scope.get("root_path") or "/", httponly=True,
        samesite="lax", secure=scheme_of(state.config, request) == "https",
    )  # fmt: skip


def end_session(request: Request, answer: Response, identity: Identity) -> None:
    """End the session of a request, its streams too, and take its cookie away."""
    state = request.app.state
    if identity.session is not None:
        state.services.sessions.end(identity.session)
        state.live.end_session(identity.session)
    address = client_address(state.config.proxy, request)
    entry = AuditEntry(who=identity.name, role=str(identity.grant), address=address, action="session.ended")
    state.services.audit.append(entry)
    answer.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/")
