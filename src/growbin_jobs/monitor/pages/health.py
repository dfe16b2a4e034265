"""``/healthz`` for probes: says that the monitor answers, and nothing else."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.PROBE)])


@router.get("/healthz")
def alive() -> Response:
    """Say that the monitor answers."""
    return PlainTextResponse("OK")


@router.get("/healthcheck")
def alive_as_flower() -> Response:
    """Say it by Flower's address."""
    return PlainTextResponse("OK")
