"""What has become of a message, asked by a request; waiting for its end costs no thread."""

from __future__ import annotations

import time

import anyio
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from growbin_jobs.engine.central.search.task_detail import TaskDetails
from growbin_jobs.engine.results import EngineResults
from growbin_jobs.engine.task_lookup import TaskLookup
from growbin_jobs.engine.task_results import ENDED, State, TaskResult
from growbin_jobs.monitor.services import Services

#: Seconds that a request waits at most.
LONGEST = 600.0

#: Seconds between two looks: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5


def asked(services: Services, task_id: str, *, sent: bool = False) -> TaskResult:
    """Return what is known of a message, for asking.

    Parameters:
      sent: That it was sent is known.
    """
    results = EngineResults(services.engine)
    results.central = lambda: services.database
    return TaskResult(task_id, TaskLookup(results), sent=sent)


async def ended(request: Request, result: TaskResult, seconds: float) -> State:
    """Wait until a message has ended, the time is over, nobody listens any more, or the monitor stops.

    Parameters:
      seconds: At most; :data:`LONGEST` bounds it.

    Returns:
      Its state then.
    """
    end, pause = time.monotonic() + min(seconds, LONGEST), FIRST_PAUSE
    while True:
        state: State = await run_in_threadpool(lambda: result.state)
        over = state in ENDED or time.monotonic() + pause > end
        if over or request.app.state.live.closed or await request.is_disconnected():
            return state
        await anyio.sleep(pause)
        pause = min(LAST_PAUSE, 1.5 * pause)


def check_database(services: Services, state: State, task_id: str) -> None:
    """Make sure that a message of which nothing is known is not one that a database that is away knows.

    Raises:
      Deferred: It is away.
    """
    if state is State.UNKNOWN:
        TaskDetails(services.database).get(task_id)
