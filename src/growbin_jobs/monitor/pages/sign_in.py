"""Signing in: by name and password, by a link for one time, by an OpenID Connect provider."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.models.audit import AuditEntry
from growbin_jobs.monitor.pages.links import is_inner, link
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.people import Grant, Role
from growbin_jobs.monitor.security.identify import identity_of
from growbin_jobs.monitor.security.origins import client_address
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import Forbidden
from growbin_jobs.monitor.security.signing_in import begin_session

router = APIRouter(include_in_schema=False)

_ANYBODY = [require(Action.SIGN_IN)]


@router.get("/sign-in", dependencies=_ANYBODY)
def page(request: Request, next: str = "/") -> Response:
    """Show the ways to sign in; who is signed in already goes on."""
    target = next if is_inner(next) else "/"
    if identity_of(request) is not None:
        return RedirectResponse(link(request, "") + target, 303)
    return render(request, "sign_in.html", target=target, name="", failed=None)


@router.post("/sign-in", dependencies=_ANYBODY)
def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=255)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Sign in by name and password."""
    state, target = request.app.state, next if is_inner(next) else "/"
    address = client_address(state.config.proxy, request)
    mark = state.login_limit.begin(name, address)
    user = state.passwords.check(name, password)
    if user is None:
        # Who knows whether the name is one: it may be a password in the wrong field, so it is not recorded.
        state.services.audit.append(AuditEntry(who="", address=address, action="sign_in.failed"))
        failed = words_for(request)("sign_in.wrong")
        return render(request, "sign_in.html", status=401, target=target, name=name, failed=failed)
    state.login_limit.succeeded(name, address, mark)
    answer = RedirectResponse(link(request, "") + target, 303)
    begin_session(request, answer, name=user.name, kind="password", grant=user.grant)
    return answer


@router.get("/sign-in/link", dependencies=_ANYBODY)
def link_page(request: Request) -> Response:
    """Show the button of a link for one time. The secret is behind the #, which no server and no log sees."""
    return render(request, "sign_in_link.html", failed=None)


@router.post("/sign-in/link", dependencies=_ANYBODY)
def sign_in_by_link(request: Request, secret: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Use a link up and sign in."""
    state = request.app.state
    if not state.config.sign_in_links:
        raise Forbidden(Action.SIGN_IN)
    token = state.services.tokens.use_link(secret)
    if token is None:
        return render(request, "sign_in_link.html", status=401, failed=words_for(request)("sign_in.link_used"))
    answer = RedirectResponse(link(request, "/"), 303)
    grant = Grant(Role[token.role.upper()], token.personal)
    begin_session(request, answer, name=token.name, kind="link", grant=grant)
    return answer
