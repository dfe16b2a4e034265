"""What Celery's workers can be told and ours cannot: each route refuses with a sentence that says what to do instead.

As in Flower, a worker or an actor that nobody knows is 404, and what a worker does not do is 403 with the reason.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from growbin_jobs.errors import NotFound
from growbin_jobs.monitor.api.flower.actor_routes import is_registered
from growbin_jobs.monitor.api.flower.arguments import Arguments
from growbin_jobs.monitor.api.flower.workers import check_worker
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.CONTROL_WORKERS)])

_POOL = (
    "the size of a pool is fixed when a worker starts. Start it with other --processes and --threads; more or fewer "
    "nodes are the autoscaler's work (docs/autoscaling.md)."
)
_RESTART = "workers restart on the node where they run: by its service manager, or by SIGHUP to `growbin-jobs worker`."
_SHUTDOWN = "workers are shut down on the node where they run: by its service manager, or by SIGTERM."
_QUEUES = (
    "a worker consumes the queues of its group. Pause or resume a queue on all workers instead: "
    "growbin-jobs queues pause QUEUE (docs/control.md)."
)
_RATE = (
    "there is no rate limit by the worker. Limits of paid calls hold for the whole cluster: growbin-jobs limits "
    "(docs/limits.md)."
)
_TIMES = "time limits are settings of each actor (docs/settings.md) and change when the workers restart."


@router.post("/api/worker/shutdown/{name:path}")
def shutdown(request: Request, name: str) -> Response:
    """Refuse to shut down a worker."""
    return _refused(request, name, f"Failed to shut down '{name}': {_SHUTDOWN}")


@router.post("/api/worker/pool/restart/{name:path}")
def restart(request: Request, name: str) -> Response:
    """Refuse to restart a pool."""
    return _refused(request, name, f"Failed to restart the '{name}' pool: {_RESTART}")


@router.post("/api/worker/pool/grow/{name:path}")
def grow(request: Request, name: str) -> Response:
    """Refuse to add processes."""
    return _refused(request, name, f"Failed to grow '{name}' worker's pool: {_POOL}")


@router.post("/api/worker/pool/shrink/{name:path}")
def shrink(request: Request, name: str) -> Response:
    """Refuse to take processes away."""
    return _refused(request, name, f"Failed to shrink '{name}' worker's pool: {_POOL}")


@router.post("/api/worker/pool/autoscale/{name:path}")
def autoscale(request: Request, name: str) -> Response:
    """Refuse bounds of a pool."""
    return _refused(request, name, f"Failed to autoscale '{name}' worker: {_POOL}")


@router.post("/api/worker/queue/add-consumer/{name:path}")
def add_consumer(request: Request, name: str, given: Arguments) -> Response:
    """Refuse to consume one more queue."""
    check_worker(request, name)
    return _refused(
        request, name, f"Failed to add '{given.needed('queue')[:200]}' consumer to '{name}' worker: {_QUEUES}"
    )


@router.post("/api/worker/queue/cancel-consumer/{name:path}")
def cancel_consumer(request: Request, name: str, given: Arguments) -> Response:
    """Refuse to consume a queue no more."""
    check_worker(request, name)
    queue = given.needed("queue")[:200]
    return _refused(request, name, f"Failed to cancel '{queue}' consumer from '{name}' worker: {_QUEUES}")


@router.post("/api/task/rate-limit/{name:path}")
def rate_limit(request: Request, name: str, given: Arguments) -> Response:
    """Refuse a rate limit."""
    _check_actor(request, name)
    return _refused(request, given.text("workername"), f"Failed to set rate limit of '{name}': {_RATE}")


@router.post("/api/task/timeout/{name:path}")
def timeout(request: Request, name: str, given: Arguments) -> Response:
    """Refuse time limits."""
    _check_actor(request, name)
    return _refused(request, given.text("workername"), f"Failed to set timeouts of '{name}': {_TIMES}")


def _refused(request: Request, worker: str | None, sentence: str) -> Response:
    if worker is not None:
        check_worker(request, worker)
    return PlainTextResponse(sentence, 403)


def _check_actor(request: Request, name: str) -> None:
    if not is_registered(request.app.state.services, name):
        raise NotFound(f"Unknown task '{name[:200]}'")
