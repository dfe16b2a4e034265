"""``/api/v2``: what can be done to queues, actors, limits, breakers and periodic jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from growbin_jobs.monitor.acting import state as acts
from growbin_jobs.monitor.acting.tasks import moment_of
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.api.v2.why import PLAIN, Why
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.control import Changed

router = APIRouter(tags=["actions"])


class Paused(BaseModel):
    """Why something is paused, and for how many minutes; without them until it is resumed."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    minutes: Annotated[float | None, Field(gt=0, le=525_600)] = None


class PausedJob(BaseModel):
    """Why a periodic job is paused, and until when (ISO 8601); without that until it is resumed."""

    model_config = ConfigDict(extra="forbid")
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    until: Annotated[str | None, Field(max_length=50)] = None


class NewRate(Why):
    """A rate such as ``60/min``; null gives the limit back to the setting."""

    rate: Annotated[str | None, Field(max_length=50)]


class LimitNow(BaseModel):
    """The rate that holds."""

    name: str
    rate: str


class JobRun(BaseModel):
    """The due time for which a job runs; null where nothing runs."""

    job: str
    due: datetime | None = None


class Closed(BaseModel):
    """The breaker that was closed."""

    name: str


@router.post("/queues/{name:path}/pause", response_model=Changed, dependencies=[require(Action.PAUSE)])
def pause_queue(request: Request, name: str, how: Paused) -> Response:
    """Let no message of a queue begin, on any node, within two seconds."""
    return StrictAnswer(acts.pause(request, "queue", name, reason=how.reason, minutes=how.minutes))


@router.post("/queues/{name:path}/resume", response_model=Changed, dependencies=[require(Action.PAUSE), PLAIN])
def resume_queue(request: Request, name: str) -> Response:
    """Let messages of a queue begin again."""
    return StrictAnswer(acts.resume(request, "queue", name))


@router.post("/actors/{name:path}/pause", response_model=Changed, dependencies=[require(Action.PAUSE)])
def pause_actor(request: Request, name: str, how: Paused) -> Response:
    """Let no message of an actor begin; the others of its queue go on."""
    return StrictAnswer(acts.pause(request, "actor", name, reason=how.reason, minutes=how.minutes))


@router.post("/actors/{name:path}/resume", response_model=Changed, dependencies=[require(Action.PAUSE), PLAIN])
def resume_actor(request: Request, name: str) -> Response:
    """Let messages of an actor begin again."""
    return StrictAnswer(acts.resume(request, "actor", name))


@router.post("/limits/{name:path}/set", response_model=LimitNow, dependencies=[require(Action.CHANGE_LIMITS)])
def set_limit(request: Request, name: str, new: NewRate) -> Response:
    """Change a limit of paid calls, on all nodes."""
    return StrictAnswer({"name": name, "rate": acts.set_limit(request, name, new.rate or "", reason=new.reason)})


@router.post(
    "/breakers/{name:path}/reset",
    response_model=Closed,
    dependencies=[require(Action.RESET_BREAKER), PLAIN],
)
def reset_breaker(request: Request, name: str) -> Response:
    """Close a breaker once the cause is mended."""
    acts.reset_breaker(request, name)
    return StrictAnswer({"name": name})


@router.post("/schedule/{job:path}/run", response_model=JobRun, dependencies=[require(Action.RUN_SCHEDULE), PLAIN])
def run_job(request: Request, job: str) -> Response:
    """Let a periodic job run now."""
    return StrictAnswer({"job": job, "due": acts.run_job(request, job)})


@router.post("/schedule/{job:path}/pause", response_model=JobRun, dependencies=[require(Action.RUN_SCHEDULE)])
def pause_job(request: Request, job: str, how: PausedJob) -> Response:
    """Skip a periodic job's due times."""
    acts.pause_job(request, job, reason=how.reason, until=moment_of(how.until, request))
    return StrictAnswer({"job": job, "due": None})


@router.post(
    "/schedule/{job:path}/resume",
    response_model=JobRun,
    dependencies=[require(Action.RUN_SCHEDULE), PLAIN],
)
def resume_job(request: Request, job: str) -> Response:
    """Let a periodic job's due times count again."""
    acts.resume_job(request, job)
    return StrictAnswer({"job": job, "due": None})
