"""Tasks: a list by a search whose filters are the address, and single tasks."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from growbin_jobs.engine.central.search.expressions import SearchError
from growbin_jobs.engine.central.search.task_search import Count, Page, TaskSearch
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.errors import NotFound
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.analysis_lists import is_id
from growbin_jobs.monitor.pages.links import link
from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading.choices import choices_of
from growbin_jobs.monitor.reading.schedule import zone_of
from growbin_jobs.monitor.reading.task_query import CHOICES, TaskQuery, may_see_messages, task_query, typed
from growbin_jobs.monitor.reading.task_view import task_view
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.lost_tasks import LOST, with_lost
from growbin_jobs.operations.readable_json import pretty
from growbin_jobs.operations.reruns import links_of

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/tasks")
def page(request: Request, query: Annotated[TaskQuery, Depends(task_query)]) -> Response:
    """Show the tasks that fit; what cannot be searched for is said beside the field, which keeps its text."""
    search = TaskSearch(request.app.state.services.database)
    found, total, problem = Page([]), None, None
    try:
        expression = query.expression(request)
        found = search.page(expression, cursor=query.cursor, limit=min(query.limit, 200), sort=query.sort)
        total = search.count(expression) if query.cursor else search.total(expression, found)
    except SearchError as error:
        problem = error
    tasks = with_lost(request.app.state.services.lost, found.tasks)
    zone = zone_of(request.app.state.services)
    return render(
        request, "tasks.html", query=query, page=found, tasks=tasks, total=total or Count(0), problem=problem,
        states=[*(state.value for state in TaskState), LOST], choices=choices_of(request.app.state.services.database),
        chosen=_chosen(query), zone=zone, typed=partial(typed, zone=zone),
        by_broker=request.app.state.services.engine.broker_url is not None,
    )  # fmt: skip


@router.get("/tasks/{task_id:path}")
def task(request: Request, task_id: str) -> Response:
    """Show one task."""
    services: Any = request.app.state.services
    try:
        view = task_view(services, task_id, messages=may_see_messages(request))
    except NotFound:
        return _elsewhere(request, task_id)
    links = links_of(services.database, task_id)
    return render(request, "task.html", view=view, task=view.task, links=links, pretty=pretty)


def _elsewhere(request: Request, task_id: str) -> Response:
    """Lead to the analysis of this id, where somebody put one into the wrong address."""
    services = request.app.state.services
    if services.growbin and is_id(task_id) and Analyses(services.database).owners([task_id]):
        return RedirectResponse(link(request, "/analyses", task_id), 303)
    return render(request, "task_unknown.html", status=404, task_id=task_id)


def _chosen(query: TaskQuery) -> dict[str, str]:
    names = (*CHOICES, "since", "until")
    return {name: value for name in names if (value := getattr(query, name))}
