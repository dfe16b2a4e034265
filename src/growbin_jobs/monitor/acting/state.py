"""Acts on queues, actors, limits, breakers and periodic jobs."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from typing import Any

from starlette.requests import Request

from growbin_jobs.engine.broker.errors import AWAY
from growbin_jobs.engine.central.worker_actors import WorkerActors
from growbin_jobs.engine.control.table import Control
from growbin_jobs.errors import ConfigurationError, NotFound
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.limits.named import named_limits
from growbin_jobs.limits.provision import provision_of
from growbin_jobs.models.made_batches import MadeBatches
from growbin_jobs.monitor.acting.actor import name_of
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations import control
from growbin_jobs.operations.breakers import reset_breaker as reset
from growbin_jobs.operations.control import Changed, Pausable
from growbin_jobs.rates import parse_rate
from growbin_jobs.scheduler.jobs import ScheduledJob, named
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.registry import Registry


def pause(request: Request, kind: Pausable, name: str, *, reason: str, minutes: float | None = None) -> Changed:
    """Pause a queue or an actor; see :func:`growbin_jobs.operations.control.pause`."""
    services: Services = request.app.state.services
    if minutes is not None and not 0 < minutes <= 525_600:
        raise BadInput("The minutes are a number from 0 to a year's.")
    known = _queues(services) if kind == "queue" else _actors(services)
    if name not in known:
        raise NotFound(f"There is no {kind} of this name.")
    record(request, f"{kind}.paused", target=name, reason=reason, details={"minutes": minutes})
    until = None if minutes is None else time.time() + minutes * 60
    by = name_of(request)
    return control.pause(Control(services.database), kind, name, known=known, by=by, reason=reason, until=until)


def resume(request: Request, kind: Pausable, name: str) -> Changed:
    """Let a queue or an actor go on; see :func:`growbin_jobs.operations.control.resume`."""
    record(request, f"{kind}.resumed", target=name)
    return control.resume(Control(request.app.state.services.database), kind, name, by=name_of(request))


def set_limit(request: Request, name: str, rate: str, *, reason: str = "") -> str:
    """Let a rate hold on all nodes; an empty one gives the limit back to the setting. Return what holds.

    Raises:
      BadInput: The rate or the name is none.
    """
    services: Services = request.app.state.services
    provision = provision_of(services.database, named_limits(services.settings))
    try:
        wanted = parse_rate(rate) if rate.strip() else None
        record(request, "limit.set", target=name, reason=reason, details={"rate": rate.strip() or "setting"})
        limit = provision.reset(name) if wanted is None else provision.set(name, wanted)
    except (ValueError, ConfigurationError) as error:
        raise BadInput(str(error)) from None
    if limit is None:
        raise BadInput(f"The settings say nothing of {name}. Name a rate.")
    return str(limit.rate)


def reset_breaker(request: Request, name: str, *, reason: str = "") -> None:
    """Close a breaker; see :func:`growbin_jobs.operations.breakers.reset_breaker`."""
    record(request, "breaker.reset", target=name, reason=reason)
    reset(Breakers(request.app.state.services.database), name)


def cancel_batch(request: Request, batch_id: str, *, reason: str = "") -> str:
    """Let a batch of paid calls end soon; return our id of it.

    Raises:
      NotFound: There is none.
      Conflict: It is done.
    """
    batches = MadeBatches(request.app.state.services.database)
    found = batches.get(batch_id)
    record(request, "batch.cancelled", target=found.id, reason=reason)
    return batches.cancel(found.id, by=name_of(request)).id


def run_job(request: Request, job: str) -> datetime:
    """Let a periodic job run now; return the due time that it runs for."""
    found = _job(request, job)
    record(request, "schedule.run", target=job)
    return _ledger(request).run_now(found, due=None, by=name_of(request))


def pause_job(request: Request, job: str, *, reason: str, until: datetime | None = None) -> None:
    """Skip a periodic job's due times until it is resumed."""
    found = _job(request, job)
    record(request, "schedule.paused", target=job, reason=reason)
    services: Services = request.app.state.services
    Registry(services.database).pause(found.name, by=name_of(request), reason=reason, until=until)


def resume_job(request: Request, job: str) -> None:
    """Let a periodic job's due times count again."""
    found = _job(request, job)
    record(request, "schedule.resumed", target=job)
    _ledger(request).resume(found)


def pauses_of(services: Services) -> dict[tuple[str, str], Any]:
    """Return who has paused what, by kind and name.

    Raises:
      Deferred: The database is away.
    """
    found = [control.pause_of(each) for each in Control(services.database).read().all if each.target != "message"]
    return {(each.target, each.name): each for each in found}


def _job(request: Request, name: str) -> ScheduledJob:
    found = named(name, request.app.state.services.jobs)
    if found is None:
        raise NotFound("There is no periodic job of this name.")
    if found.every_node:
        raise NotFound(f"{name} is done by the keeper of every node; it cannot be run, paused or resumed from here.")
    return found


def _ledger(request: Request) -> Ledger:
    return Ledger(request.app.state.services.database, "monitor")


def _queues(services: Services) -> set[str]:
    own = set[str]().union(*(group.queues for group in services.engine.groups))
    with suppress(AWAY):  # a pause is of the database: it needs no broker
        return own | set(services.broker.depths())
    return own


def _actors(services: Services) -> set[str]:
    registered = WorkerActors(services.database).all()
    return set(services.routes).union(*(each.actors for each in registered))
