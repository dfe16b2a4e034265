"""``/api/task/apply``, ``async-apply`` and ``send-task``: messages by the name of their actor."""

from __future__ import annotations

import logging
from typing import Any
from zoneinfo import ZoneInfo

from dramatiq.errors import BrokerError
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.groups import Route
from growbin_jobs.errors import NotFound
from growbin_jobs.monitor.api.flower.actor_routes import queues_of_all, route_of
from growbin_jobs.monitor.api.flower.arguments import Body
from growbin_jobs.monitor.api.flower.asking import LONGEST, asked, ended
from growbin_jobs.monitor.api.flower.message_options import Sending, sending_of
from growbin_jobs.monitor.api.flower.tasks import LETTER, outcome
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.operations.json_ready import as_json

logger = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEND)])


@router.post("/api/task/apply/{name:path}")
async def apply(request: Request, name: str, body: Body) -> Response:
    """Send a message, wait for its end, and return its result."""
    sent = await run_in_threadpool(_send, request, name, body)
    if isinstance(sent, Response):
        return sent
    found = asked(request.app.state.services, sent, sent=True)
    await ended(request, found, LONGEST)
    said = await outcome(request, found, patience=LETTER)
    return StrictAnswer({"result": None} | said)


@router.post("/api/task/async-apply/{name:path}")
def async_apply(request: Request, name: str, body: Body) -> Response:
    """Send a message."""
    return _answer(request, _send(request, name, body))


@router.post("/api/task/send-task/{name:path}")
def send_task(request: Request, name: str, body: Body) -> Response:
    """Send a message, with ``queue`` also for an actor that nobody knows here."""
    return _answer(request, _send(request, name, body, any_name=True))


def _answer(request: Request, sent: str | Response) -> Response:
    if isinstance(sent, Response):
        return sent
    state = asked(request.app.state.services, sent, sent=True).state
    return StrictAnswer({"task-id": sent, "state": as_json(state)})


def _send(request: Request, name: str, body: dict[str, Any], *, any_name: bool = False) -> str | Response:
    services = request.app.state.services
    sending = sending_of(body, ZoneInfo(services.engine.timezone))
    route = _route(request, name, sending, any_name=any_name)
    message = message_for(route, *sending.args, **sending.kwargs)
    changes: dict[str, Any] = {} if sending.task_id is None else {"message_id": sending.task_id}
    if sending.max_age is not None:
        changes["options"] = {"max_age": sending.max_age}
    message = message.copy(**changes)
    record(request, "task.sent", target=message.message_id, details={"actor": route.actor, "queue": route.queue})
    try:
        services.broker.enqueue(message, delay=sending.delay or None)
    except (ValueError, OverflowError, RecursionError):
        raise BadInput("This can never be delivered: it is too long, too deep, or too far away in time.") from None
    except (BrokerError, OSError) as error:  # its text may hold an address with a password
        logger.warning("monitor.broker_away error=%s", type(error).__name__)
        words = "The broker is away, or did not confirm the message in time; it may have arrived all the same."
        return PlainTextResponse(words, 503, {"retry-after": "5"})
    return str(message.message_id)


def _route(request: Request, name: str, sending: Sending, *, any_name: bool) -> Route:
    services = request.app.state.services
    route = route_of(services, name)
    if sending.queue is not None and (route is not None or any_name):
        if sending.queue not in queues_of_all(services):
            raise BadInput("There is no such queue. /api/v2/queues lists them.")
        return Route(name, sending.queue)
    if route is None:
        raise NotFound(f"Unknown task '{name[:200]}'. With send-task, name its queue in the body: {{\"queue\": …}}.")
    return route
