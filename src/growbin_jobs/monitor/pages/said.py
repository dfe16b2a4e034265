"""One sentence that the next page shows once: what an act has done, or why it was refused. It lives in a cookie."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.monitor.acting.sentences import said_in
from growbin_jobs.monitor.pages.links import is_inner, link
from growbin_jobs.monitor.words import Words, language_of

COOKIE: Final = "growbin_said"

_LONGEST: Final = 600


def back_to(request: Request, back: str, word: str, *, bad: bool = False, undo: str = "", **values: object) -> Response:
    """Return the answer to a form: the page that it came from, with its filters, which then says what happened.

    Parameters:
      back: Path below the prefix with its query; another one leads to the overview.
      word: Key of the sentence.
      bad: It was refused.
      undo: A dead letter whose discard can be taken back.
      values: For the sentence.
    """
    answer = RedirectResponse(link(request, "") + (back if is_inner(back) else "/"), 303)
    language = language_of(request, request.app.state.config.language)
    texts = {name: said_in(language, str(value))[:_LONGEST] for name, value in values.items()}
    said = json.dumps({"word": word, "bad": bad, "undo": undo, "values": texts})
    value = base64.urlsafe_b64encode(said.encode("utf-8", "replace")).decode()
    path = request.scope.get("root_path") or "/"
    answer.set_cookie(COOKIE, value, max_age=60, path=path, httponly=True, samesite="strict")
    return answer


def said_to(request: Request, words: Words) -> dict[str, Any] | None:
    """Return what is to be said on this page: ``text``, ``bad`` and ``undo``; None: nothing."""
    try:
        found = json.loads(base64.urlsafe_b64decode(request.cookies.get(COOKIE, "")))
        text = words(str(found["word"]), **{str(name): str(value) for name, value in found["values"].items()})
        return {"text": text, "bad": bool(found["bad"]), "undo": str(found["undo"])}
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def forget(request: Request, answer: Response) -> None:
    """Let an answer end what was said."""
    if COOKIE in request.cookies:
        answer.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/", httponly=True, samesite="strict")
