"""Errors as answers: a page for people, problem+json for ``/api/v2``, a status with a sentence for Flower's scripts."""

import logging
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from growbin_jobs.errors import ConfigurationError, Conflict, Deferred, GrowbinError, NotFound, Permanent
from growbin_jobs.monitor.acting.sentences import said_in
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.security.identify import is_api
from growbin_jobs.monitor.security.refusals import Forbidden, NotThere, Refusal, SignInNeeded, TooManyAttempts

logger = logging.getLogger(__name__)

#: What makes scripts and browsers send a name and a password.
CHALLENGE = {"www-authenticate": 'Basic realm="growbin-jobs", charset="UTF-8"'}


def add_handlers(app: FastAPI) -> None:
    """Let an app show errors our way."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(Deferred, _away)
    app.add_exception_handler(ConfigurationError, _away)
    app.add_exception_handler(Permanent, _refused_value)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(GrowbinError, failed)


def answer(
    request: Request, status: int, sentence: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """Return an error in the form that the asker understands.

    Parameters:
      status: The HTTP status.
      sentence: For people; says what to do.
      headers: More headers.
      more: More members of a problem.
    """
    path = request.scope["path"][len(request.scope.get("root_path", "")) :]
    if path.startswith("/api/v2"):
        return problem(status, sentence, headers=headers, **more)
    if is_api(request):
        return PlainTextResponse(sentence, status, headers)
    return render(request, "refused.html", status=status, headers=headers, code=status, sentence=sentence)


def _refused(request: Request, error: Any) -> Response:
    assert isinstance(error, Refusal)
    words = words_for(request)
    if isinstance(error, SignInNeeded):
        return _to_sign_in(request, words(error.word))
    values = dict(error.values)
    if isinstance(error, Forbidden):
        values["action"] = words(f"action.{values['action']}")
    headers = {"retry-after": str(values["seconds"])} if isinstance(error, TooManyAttempts) else None
    return answer(request, error.status, words(error.word, **values), headers=headers)


def _to_sign_in(request: Request, sentence: str) -> Response:
    if is_api(request):
        return answer(request, 401, sentence, headers=CHALLENGE)
    prefix = request.scope.get("root_path", "")
    where = request.scope["path"][len(prefix) :]
    query = request.scope.get("query_string", b"").decode("latin-1")
    here = quote(where) + (f"?{query}" if query else "")
    if "hx-request" in request.headers or request.method != "GET":
        # What a page asks for in the background leads the whole page to the sign-in, and back to that page.
        return PlainTextResponse(sentence, 401, {"hx-redirect": f"{prefix}/sign-in"})
    target = f"?next={quote(here, safe='')}" if here != "/" else ""
    return RedirectResponse(f"{prefix}/sign-in{target}", 303)


def _not_found(request: Request, error: Any) -> Response:
    return answer(request, 404, str(error))


def _conflict(request: Request, error: Any) -> Response:
    return answer(request, 409, said_in(words_for(request).language, str(error)))


def _refused_value(request: Request, error: Any) -> Response:
    """Answer that the database takes no such value: it came with the request."""
    if error.code != "request_invalid":
        return failed(request, error)
    return answer(request, 400, words_for(request)("refused.value"))


def _away(request: Request, error: Any) -> Response:
    logger.warning("monitor.away error=%s", type(error).__name__)
    return answer(request, 503, words_for(request)("refused.away", reason=str(error)), headers={"retry-after": "5"})


def _invalid(request: Request, error: Any) -> Response:
    assert isinstance(error, RequestValidationError)
    # Neither the value nor the library's sentence, which quotes it: only where, and what kind of mistake.
    wrong = [{"place": ".".join(map(str, each["loc"])), "mistake": each["type"]} for each in error.errors()]
    places = ", ".join(each["place"] for each in wrong)
    return answer(request, 422, words_for(request)("refused.parameters", places=places), errors=wrong)


def _http(request: Request, error: Any) -> Response:
    assert isinstance(error, HTTPException)
    key = {404: NotThere.word, 405: "refused.method"}.get(error.status_code)
    sentence = words_for(request)(key) if key else str(error.detail)
    return answer(request, error.status_code, sentence, headers=dict(error.headers or {}))


def failed(request: Request, error: Exception) -> Response:
    """Return the answer for an error that nobody expected, and log it."""
    logger.error("monitor.failed path=%s", getattr(request.scope.get("route"), "path", "?"), exc_info=error)
    return answer(request, 500, words_for(request)("refused.failed"))
