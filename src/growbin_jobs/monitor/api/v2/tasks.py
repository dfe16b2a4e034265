"""``/api/v2/tasks``: lists by a search, single tasks, their messages whole."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from growbin_jobs.engine.central.attempts import TaskAttempt
from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.search.lines import TaskLine
from growbin_jobs.engine.central.search.task_detail import Preview, TaskDetails
from growbin_jobs.engine.central.search.task_search import Count, TaskSearch
from growbin_jobs.errors import NotFound
from growbin_jobs.models.batch_waiting import InBatch
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.exporting import ROUTE, Form, Reason, encoded, exported
from growbin_jobs.monitor.reading.task_query import TaskQuery, may_see_messages, task_query
from growbin_jobs.monitor.reading.task_view import task_view
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations import exports
from growbin_jobs.operations.lost_tasks import with_lost
from growbin_jobs.operations.readable_json import parsed
from growbin_jobs.operations.waiting import Waiting

router = APIRouter(tags=["tasks"])


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of tasks.

    Attributes:
      tasks: Without messages and results.
      next: Cursor of the next page; null: there is none.
      searched, go_on: The search ended after so many tasks; ``go_on`` is the cursor from where it goes on.
      total: How many fit, counted up to a cap; null with a cursor.
    """

    tasks: list[TaskLine]
    next: str | None
    searched: int | None
    go_on: str | None
    total: Count | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A message or a result.

    Attributes:
      value: What its JSON says; null where it is no strict JSON, too deep, or longer than is shown.
      text: Where ``value`` says nothing: its beginning as it is stored.
      length: Characters of the whole.
      complete: Nothing is missing.
    """

    value: Any
    text: str | None
    length: int
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """A task.

    Attributes:
      waiting: Why it has not ended; null: it has.
      attempts: Its runs that did not complete, oldest first, the newest 50; their numbers say how many there are.
      family: The first task of its chain and all that were sent in it.
      in_batch: How its question is asked in a batch of paid calls, times in seconds since 1970; null: it is not.
      message, result: Null where there is none or you may not see it.
      hidden: You may not see message and result.
    """

    task: TaskLine
    waiting: Waiting | None
    attempts: list[TaskAttempt]
    family: list[TaskLine]
    in_batch: InBatch | None
    message: Document | None
    result: Document | None
    error: str | None
    hidden: bool


@router.get("/tasks", response_model=TaskPage, dependencies=[require(Action.SEE_STATE)])
def tasks(request: Request, query: Annotated[TaskQuery, Depends(task_query)]) -> Response:
    """Return tasks, the newest first. Messages and results are never in lists."""
    search = TaskSearch(request.app.state.services.database)
    try:
        expression = query.expression(request)
        page = search.page(expression, cursor=query.cursor, limit=query.limit, sort=query.sort)
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)
    total = search.total(expression, page) if query.cursor is None else None
    lines = with_lost(request.app.state.services.lost, page.tasks)
    return StrictAnswer(TaskPage(tasks=lines, next=page.next, searched=page.searched, go_on=page.go_on, total=total))


@router.get("/tasks/{task_id:path}", response_model=TaskAnswer, dependencies=[require(Action.SEE_STATE)])
def task(request: Request, task_id: str) -> Response:
    """Return one task, with the first 65,536 characters of its message, its result and its error."""
    view = task_view(request.app.state.services, task_id, messages=may_see_messages(request))
    return StrictAnswer(
        TaskAnswer(
            task=view.task,
            waiting=view.waiting,
            attempts=view.attempts,
            family=view.family,
            in_batch=view.in_batch,
            message=document(view.message),
            result=document(view.result),
            error=view.error.text if view.error else None,
            hidden=view.hidden,
        )
    )


@router.get(
    "/task-texts/{part}/{task_id:path}",
    dependencies=[require(Action.SEE_PAYLOADS)],
    responses={200: {"content": {"text/plain": {}}}},
    response_class=StreamingResponse,
)
def text(request: Request, part: Literal["message", "result", "error"], task_id: str) -> Response:
    """Return a whole message, result or error as it is stored, however long."""
    details = TaskDetails(request.app.state.services.database)
    pieces = details.pieces(task_id, "payload" if part == "message" else part)
    first = next(pieces, None)
    if first is None:
        raise NotFound(f"There is no task of this id with a {part}.")
    record(request, "task.text_seen", target=task_id, details={"part": part})
    headers = {"content-disposition": f'attachment; filename="{part}.txt"'}
    return StreamingResponse(encoded(chain([first], pieces)), media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/export/tasks", **ROUTE)
def export(
    request: Request, query: Annotated[TaskQuery, Depends(task_query)], reason: Reason, form: Form = "csv"
) -> Response:
    """Return all tasks that fit as CSV or JSON lines, at most a million. It is written down who took them and why."""
    try:
        expression = query.expression(request)
    except SearchError as error:
        return problem(400, str(error), type_="growbin:search", place=error.place)
    rows = exports.tasks(TaskSearch(request.app.state.services.database), expression)
    return exported(request, "tasks", rows, TaskLine, form, reason=reason, details={"search": str(query.q)})


def document(preview: Preview | None) -> Document | None:
    """Return a message or a result as it is told."""
    if preview is None:
        return None
    value, told = parsed(preview.text) if preview.is_whole else (None, False)
    return Document(value=value, text=None if told else preview.text, length=preview.length, complete=preview.is_whole)
