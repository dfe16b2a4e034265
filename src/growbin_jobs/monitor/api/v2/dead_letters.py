"""``/api/v2/dead-letters``: messages of all nodes that were given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.search.task_search import MOST_LINES
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.exporting import ROUTE, Form, Reason, exported
from growbin_jobs.monitor.api.v2.tasks import Document, document
from growbin_jobs.monitor.pages.rendering import words_for
from growbin_jobs.monitor.reading.letters import LetterLine, LetterPage, letter_of, letters_of
from growbin_jobs.monitor.reading.task_query import may_see_messages
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations import exports

router = APIRouter(tags=["dead letters"], dependencies=[require(Action.SEE_STATE)])

_Text = Annotated[str | None, Query(max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterAnswer:
    """A dead letter; ``message`` is null where you may not see it."""

    letter: LetterLine
    traceback: str
    message: Document | None


@router.get("/dead-letters", response_model=LetterPage)
def dead_letters(
    request: Request,
    queue: _Text = None,
    actor: _Text = None,
    code: _Text = None,
    node: _Text = None,
    dealt_with: Annotated[bool, Query(description="Also those about which somebody has decided.")] = False,
    cursor: Annotated[str | None, Query(max_length=6000)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Return dead letters, the newest first, without their messages."""
    wanted = _wanted(queue, actor, code, node)
    try:
        found = letters_of(
            request.app.state.services, words_for(request).language, dealt_with=dealt_with, cursor=cursor, limit=limit,
            **wanted,
        )  # fmt: skip
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)
    return StrictAnswer(found)


@router.get("/export/dead-letters", **ROUTE)
def export(
    request: Request,
    reason: Reason,
    queue: _Text = None,
    actor: _Text = None,
    code: _Text = None,
    node: _Text = None,
    dealt_with: Annotated[bool, Query(description="Also those about which somebody has decided.")] = False,
    form: Form = "csv",
) -> Response:
    """Return all dead letters that fit as CSV or JSON lines, at most a million, without their messages."""
    services, language = request.app.state.services, words_for(request).language
    wanted = _wanted(queue, actor, code, node)

    def read(cursor: str | None) -> tuple[list[LetterLine], str | None]:
        page = letters_of(services, language, dealt_with=dealt_with, cursor=cursor, limit=MOST_LINES, **wanted)
        return page.letters, page.next

    details = {name: value for name, value in wanted.items() if value}
    return exported(request, "dead-letters", exports.pages(read), LetterLine, form, reason=reason, details=details)


def _wanted(queue: str | None, actor: str | None, code: str | None, node: str | None) -> dict[str, str | None]:
    chosen = {"queue": queue, "actor": actor, "code": code, "node": node}
    return {name: value.replace("\0", "\ufffd") if value else None for name, value in chosen.items()}


@router.get("/dead-letters/{letter_id:path}", response_model=LetterAnswer)
def dead_letter(request: Request, letter_id: str) -> Response:
    """Return one dead letter with its traceback and its message."""
    view = letter_of(
        request.app.state.services, letter_id, words_for(request).language, messages=may_see_messages(request)
    )
    return StrictAnswer(LetterAnswer(letter=view.letter, traceback=view.traceback, message=document(view.message)))
