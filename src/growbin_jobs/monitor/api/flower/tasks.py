"""``/api/tasks`` and ``/api/task/…``, as far as they read."""

from __future__ import annotations

import time
from typing import Any

import anyio
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.search.task_detail import SHOWN, TaskDetails
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.engine.task_results import State, TaskResult
from growbin_jobs.monitor.api.flower.arguments import Arguments
from growbin_jobs.monitor.api.flower.asking import asked, check_database, ended
from growbin_jobs.monitor.api.flower.task_list import expression_of, lines_of
from growbin_jobs.monitor.api.flower.task_objects import task_object
from growbin_jobs.monitor.api.flower.task_texts import texts_of
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading.task_query import may_see_messages
from growbin_jobs.monitor.security.permissions import Action, require

#: Seconds after which the dead letter of a message that has failed is in the central database.
LETTER = 4.0

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/api/tasks")
def tasks(request: Request, given: Arguments) -> Response:
    """Return tasks by id, the newest first."""
    services, messages = request.app.state.services, may_see_messages(request)
    try:
        lines = lines_of(TaskSearch(services.database), expression_of(given, services.engine, messages=messages), given)
    except SearchError as error:
        return JSONResponse({"error": str(error), "place": error.place}, 400)
    texts = texts_of(services.database, lines, messages=messages)
    found = [task_object(line, texts[line.task_id], services.engine.groups) for line in lines]
    if given.text("sort_by") is None:
        found.sort(key=lambda each: (each["timestamp"], each["uuid"]), reverse=True)
    for each in found:
        if each["worker"] is None:  # as in Flower: nobody has received it
            del each["worker"]
    return StrictAnswer({each["uuid"]: each for each in found})


@router.get("/api/task/types")
def types(request: Request) -> Response:
    """Return the names of actors that were seen."""
    names = TaskSearch(request.app.state.services.database).choices()["actor"]
    return StrictAnswer({"task-types": names})


@router.get("/api/task/info/{task_id:path}")
def info(request: Request, task_id: str) -> Response:
    """Return one task; an empty body with 404 where nobody has seen it."""
    services = request.app.state.services
    found = TaskDetails(services.database).get(task_id)
    if found is None:
        return Response(status_code=404)
    texts = texts_of(services.database, [found.task], messages=may_see_messages(request), shown=SHOWN)[task_id]
    answer = task_object(found.task, texts, services.engine.groups, cut=SHOWN)
    if answer["exception"] is not None and found.error is not None:
        answer["exception"] = found.error.text
    return StrictAnswer(answer)


@router.get("/api/task/result/{task_id:path}")
async def result(request: Request, task_id: str, given: Arguments) -> Response:
    """Return what has become of a message; with ``timeout``, after its end or so many seconds."""
    services, found = request.app.state.services, asked(request.app.state.services, task_id)
    seconds = given.seconds("timeout") or 0.0
    state = await ended(request, found, seconds)
    await run_in_threadpool(check_database, services, state, task_id)
    return StrictAnswer(await outcome(request, found, patience=min(seconds, LETTER)))


async def outcome(request: Request, found: TaskResult, *, patience: float) -> dict[str, Any]:
    """Return the state of a message, and its result or error as far as the asker may see it.

    Parameters:
      patience: Seconds to wait for a traceback: the state of this node is known before its dead letter is copied.

    Raises:
      Deferred: The database is away.
    """
    end = time.monotonic() + patience
    while True:
        said = await run_in_threadpool(_outcome, request, found)
        complete = said.get("traceback", "") is not None
        if complete or time.monotonic() >= end or request.app.state.live.closed:
            return said
        await anyio.sleep(0.25)


def _outcome(request: Request, found: TaskResult) -> dict[str, Any]:
    state = found.state
    said: dict[str, Any] = {
        "task-id": found.message_id,
        "state": State.PENDING.value if state is State.UNKNOWN else state.value,
    }
    if state is State.SUCCESS and may_see_messages(request):
        said["result"] = found.result
    if state in (State.FAILURE, State.REVOKED):
        said["result"] = found.error
    if state is State.FAILURE:
        database = request.app.state.services.database
        detail = TaskDetails(database).get(found.message_id)
        texts = texts_of(database, [detail.task] if detail else [], messages=False)
        said["traceback"] = texts[found.message_id].traceback
    return said
