"""``/api/workers``: who works, and what they do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from growbin_jobs.errors import NotFound
from growbin_jobs.monitor.api.flower.arguments import Arguments
from growbin_jobs.monitor.api.flower.worker_names import worker_name
from growbin_jobs.monitor.api.flower.worker_objects import doing, worker_object
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading.state import workers_of
from growbin_jobs.monitor.reading.task_query import may_see_messages
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.worker_states import Presence, WorkerState

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/api/workers")
def workers(request: Request, given: Arguments) -> Response:
    """Return workers by name; with ``status``, only whether each works. ``refresh`` is not needed: nothing is old."""
    services = request.app.state.services
    found = workers_of(services)
    by_name = {_name(state): state for state in (*found.gone, *found.present)}
    wanted = given.text("workername")
    if wanted is not None:
        by_name = {wanted: known_worker(by_name, wanted)}
    if given.flag("status"):
        return StrictAnswer({name: state.presence is Presence.WORKING for name, state in by_name.items()})
    if wanted is None:  # the gone ones do nothing
        by_name = {name: state for name, state in by_name.items() if state.presence is not Presence.GONE}
    doings = doing(services, list(by_name.values()), messages=may_see_messages(request))
    return StrictAnswer({name: worker_object(state, doings) for name, state in by_name.items()})


def known_worker(by_name: dict[str, Any], name: str) -> Any:
    """Return the worker of a name.

    Raises:
      NotFound: There is none.
    """
    if name not in by_name:
        raise NotFound(f"Unknown worker '{name[:200]}'")
    return by_name[name]


def check_worker(request: Request, name: str) -> None:
    """Make sure that there is such a worker.

    Raises:
      NotFound: There is none.
      Deferred: The database is away.
    """
    found = workers_of(request.app.state.services)
    known_worker({_name(state): state for state in (*found.gone, *found.present)}, name)


def _name(state: WorkerState) -> str:
    return worker_name(state.group.node, state.group.group_name)
