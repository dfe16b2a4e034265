"""``/api/queues/length``: what the queues hold that somebody consumes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.reading.state import present_workers_of, queues_of
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_STATE)])


@router.get("/api/queues/length")
def length(request: Request) -> Response:
    """Return the queues that workers consume; 503 where the broker cannot be asked, which is not an empty queue."""
    services = request.app.state.services
    found = queues_of(services, present_workers_of(services))
    if found.problem is not None:
        return PlainTextResponse("The broker is away.", 503, {"retry-after": "5"})
    return StrictAnswer(
        {
            "active_queues": [
                {
                    "name": queue.name,
                    "messages": (queue.ready or 0) + (queue.claimed or 0),
                    "messages_ready": queue.ready,
                    "messages_unacknowledged": queue.claimed,
                    "consumers": len(queue.consumers),
                    "durable": True,
                }
                for queue in found.queues
                if queue.consumers
            ]
        }
    )
