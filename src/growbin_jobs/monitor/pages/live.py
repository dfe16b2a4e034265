"""The stream of what is new, and the question for it that browsers ask where a stream cannot be had."""

from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from growbin_jobs.monitor.live import MOST_STREAMS
from growbin_jobs.monitor.security.identify import identity_now, identity_of
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False)


@router.get("/live/stream", dependencies=[require(Action.SEE_STATE)])
async def stream(request: Request, after: str | None = None) -> Response:
    """Stream what is new until the session ends. ``Last-Event-ID``, or ``after``, says what the browser knows."""
    live, identity = request.app.state.live, identity_of(request)
    if live.closed or live.readers >= MOST_STREAMS:
        return PlainTextResponse("", 503, {"retry-after": "5"})
    assert identity is not None

    async def may_go_on() -> bool:
        now = await run_in_threadpool(partial(identity_now, request))
        return now is not None and now.grant == identity.grant

    events: AsyncIterator[str] = live.stream(
        request.headers.get("last-event-id", after), session=identity.session, may_go_on=may_go_on
    )
    return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


@router.get("/live/changes", dependencies=[require(Action.SEE_STATE)])
def changes(request: Request, after: str | None = None) -> Response:
    """Return the topics that have changed since a position; null: ask for everything."""
    position, topics = request.app.state.live.since(after)
    return JSONResponse({"position": position, "topics": topics})
