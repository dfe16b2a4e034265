"""Signing in at an OpenID Connect provider: the way there, and back."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.models.audit import AuditEntry
from growbin_jobs.monitor.pages.links import is_inner, link
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.security.oidc import (
    ATTEMPT_COOKIE,
    ATTEMPT_LASTS,
    Attempt,
    OidcFailed,
    OidcRefused,
    OidcSignIn,
)
from growbin_jobs.monitor.security.origins import client_address, scheme_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import NotThere
from growbin_jobs.monitor.security.signing_in import begin_session

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SIGN_IN)])


@router.get("/sign-in/oidc")
def begin(request: Request, next: str = "/") -> Response:
    """Send the browser to the provider."""
    try:
        address, attempt = _sign_in(request).begin(next if is_inner(next) else "/")
    except OidcFailed as error:
        return _failed(request, words_for(request)("sign_in.oidc_failed", why=error), 502)
    answer = RedirectResponse(address, 303)
    secure = scheme_of(request.app.state.config, request) == "https"
    answer.set_cookie(
        ATTEMPT_COOKIE, attempt.to_cookie(), max_age=ATTEMPT_LASTS, path=link(request, "/sign-in/oidc"), httponly=True,
        samesite="lax", secure=secure,
    )  # fmt: skip
    return answer


@router.get("/sign-in/oidc/callback")
def come_back(request: Request) -> Response:
    """Take up who comes back from the provider. It is a GET because the provider sends people so (RFC 6749, 4.1.2)."""
    words, attempt = words_for(request), Attempt.from_cookie(request.cookies.get(ATTEMPT_COOKIE, ""))
    if attempt is None:
        return _failed(request, words("sign_in.oidc_failed", why="cookie"), 400)
    try:
        name, grant = _sign_in(request).finish(attempt, request.query_params)
    except OidcFailed as error:
        return _failed(request, words("sign_in.oidc_failed", why=error), 502)
    except OidcRefused as error:
        address = client_address(request.app.state.config.proxy, request)
        entry = AuditEntry(who="", address=address, action="sign_in.refused", details={"why": error.word})
        request.app.state.services.audit.append(entry)
        return _failed(request, words("sign_in.refused", why=words(error.word)), 403)
    answer = RedirectResponse(link(request, "") + (attempt.target if is_inner(attempt.target) else "/"), 303)
    begin_session(request, answer, name=name, kind="oidc", grant=grant)
    answer.delete_cookie(ATTEMPT_COOKIE, path=link(request, "/sign-in/oidc"))
    return answer


def _sign_in(request: Request) -> OidcSignIn:
    sign_in: OidcSignIn | None = request.app.state.oidc
    if sign_in is None:
        raise NotThere
    return sign_in


def _failed(request: Request, sentence: str, status: int) -> Response:
    return render(request, "sign_in.html", status=status, target="/", name="", failed=sentence)
