"""One's own account: who one is, signing out, and the language."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.monitor.pages.links import is_inner, link
from growbin_jobs.monitor.security.identify import identity_of
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.signing_in import end_session
from growbin_jobs.monitor.words import LANGUAGE_COOKIE, LANGUAGES

router = APIRouter(include_in_schema=False)


@router.post("/sign-out", dependencies=[require(Action.SIGN_OUT)])
def sign_out(request: Request) -> Response:
    """End the session."""
    identity = identity_of(request)
    answer = RedirectResponse(link(request, "/sign-in"), 303)
    if identity is not None:
        end_session(request, answer, identity)
    return answer


@router.post("/language", dependencies=[require(Action.CHOOSE)])
def choose_language(
    request: Request,
    language: Annotated[str, Form(max_length=10)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Choose the language of the pages, in this browser."""
    answer = RedirectResponse(link(request, "") + (next if is_inner(next) else "/"), 303)
    if language in LANGUAGES:
        path = request.scope.get("root_path") or "/"
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86400, path=path, httponly=True, samesite="lax")
    return answer
