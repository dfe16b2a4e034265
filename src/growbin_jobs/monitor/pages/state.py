"""Workers, queues and dead letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.control.history import history
from growbin_jobs.monitor.acting.state import pauses_of
from growbin_jobs.monitor.api.flower.worker_counts import worker_counts_of
from growbin_jobs.monitor.api.flower.worker_table import worker_table
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.reading.letters import letter_of, letters_of
from growbin_jobs.monitor.reading.state import present_workers_of, queues_of, workers_of
from growbin_jobs.monitor.reading.task_query import may_see_messages
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.readable_json import pretty
from growbin_jobs.operations.worker_states import Presence

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])

#: Rows that a page shows of workers and of queues.
MOST = 200

_Text = Annotated[str, Query(max_length=1000)]


@router.get("/workers")
def workers(request: Request, json: Annotated[str, Query(max_length=10)] = "", find: _Text = "") -> Response:
    """Show who works, the silent first; those that are gone are folded. With ``json`` it answers as Flower's page does.

    Parameters:
      find: Only those whose node or group has this in its name.
    """
    found = workers_of(request.app.state.services)
    if json:
        return StrictAnswer(worker_table(found, worker_counts_of(request.app.state.services)))
    present = [each for each in found.present if find in f"{each.group.node}/{each.group.group_name}"]
    present.sort(key=lambda each: each.presence is not Presence.SILENT)
    return render(request, "workers.html", found=found, present=present, find=find, most=MOST, now=datetime.now(UTC))


@router.get("/queues")
def queues(request: Request, find: _Text = "") -> Response:
    """Show what each queue holds and who takes from it; where there are many, those in which most waits.

    Parameters:
      find: Only those that have this in their name.
    """
    services: Any = request.app.state.services
    newest = letters_of(
        services, words_for(request).language, queue=None, actor=None, code=None, node=None, dealt_with=False,
        cursor=None, limit=10,
    )  # fmt: skip
    found = queues_of(services, present_workers_of(services))
    told = history(services.database, limit=20)
    chosen = [queue for queue in found.queues if find in queue.name]
    if len(chosen) > MOST:
        chosen.sort(key=lambda queue: -(queue.ready or 0))
    return render(
        request, "queues.html", found=found, queues=chosen, find=find, most=MOST, newest=newest,
        pauses=pauses_of(services), told=told,
    )  # fmt: skip


@router.get("/dead-letters")
def letters(
    request: Request,
    queue: _Text = "",
    actor: _Text = "",
    code: _Text = "",
    node: _Text = "",
    dealt_with: bool = False,
    cursor: Annotated[str | None, Query(max_length=6000)] = None,
) -> Response:
    """Show dead letters of all nodes."""
    asked = {"queue": queue, "actor": actor, "code": code, "node": node}
    chosen: dict[str, str | None] = {name: value.replace("\0", "\ufffd") or None for name, value in asked.items()}
    found, problem = None, None
    try:
        found = letters_of(
            request.app.state.services, words_for(request).language, dealt_with=dealt_with, cursor=cursor,
            queue=chosen["queue"], actor=chosen["actor"], code=chosen["code"], node=chosen["node"],
        )  # fmt: skip
    except SearchError as error:
        problem = str(error)
    return render(request, "dead_letters.html", found=found, problem=problem, asked=asked, dealt_with=dealt_with)


@router.get("/dead-letters/{letter_id:path}")
def letter(request: Request, letter_id: str) -> Response:
    """Show one dead letter."""
    view = letter_of(
        request.app.state.services, letter_id, words_for(request).language, messages=may_see_messages(request)
    )
    return render(request, "dead_letter.html", view=view, letter=view.letter, pretty=pretty)
