"""``/tasks/datatable``: the table of Flower's own page, in the words of DataTables."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from growbin_jobs.engine.central.search.expressions import ALL, SearchError
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.monitor.api.flower.arguments import Arguments, Given
from growbin_jobs.monitor.api.flower.task_list import SORTED_BY, expression_of, lines_of
from growbin_jobs.monitor.api.flower.task_objects import task_object
from growbin_jobs.monitor.api.flower.task_texts import texts_of
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading.task_query import may_see_messages
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/tasks/datatable")
def datatable(request: Request, given: Arguments) -> Response:
    """Return a page of tasks with how many there are, each number counted up to a cap."""
    services, messages = request.app.state.services, may_see_messages(request)
    search, asked = TaskSearch(services.database), _asked(given)
    answer: dict[str, Any] = {"draw": given.number("draw") or 0, "data": [], "recordsTotal": search.count(ALL).number}
    try:
        expression = expression_of(asked, services.engine, messages=messages)
        lines = lines_of(search, expression, asked)
    except SearchError as error:
        return StrictAnswer(answer | {"recordsFiltered": 0, "searchError": str(error)})
    texts = texts_of(services.database, lines, messages=messages)
    answer["data"] = [task_object(line, texts[line.task_id], services.engine.groups) for line in lines]
    return StrictAnswer(answer | {"recordsFiltered": max(search.count(expression).number, len(lines))})


def _asked(given: Given) -> Given:
    """Return the same in the words of ``/api/tasks``; an order that it does not know is the newest first."""
    column = given.text(f"columns[{given.number('order[0][column]') or 0}][data]")
    descending = given.text("order[0][dir]") == "desc"
    length = given.text("length")
    wanted = {
        "search": given.text("search[value]"),
        "offset": given.text("start"),
        "limit": None if length == "-1" else length,
        "sort_by": f"{'-' if descending else ''}{column}" if column in SORTED_BY else None,
    }
    return Given({name: value for name, value in wanted.items() if value is not None})
