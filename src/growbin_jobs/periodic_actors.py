"""Declares Growbin's actors that the schedule fires: each due time has its effect once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from growbin_jobs import settings as _settings
from growbin_jobs.actors import actor
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.scheduler.once import once_a_due_time

if TYPE_CHECKING:
    from dramatiq import Actor

    from growbin_jobs.scheduler.effects import DueTimes


def periodic(route: Route, *, again: bool = False) -> Callable[[Callable[..., Any]], Actor[Any, Any]]:
    """Return the decorator of an actor that the schedule fires (:func:`growbin_jobs.scheduler.once.once_a_due_time`).

    Parameters:
      route: Its wire name is the job's name in the schedule.
      again: Its effect is to send messages, whose ids are made from this one's: it runs again after a crash.
    """
    declare = actor(route)
    return lambda run: declare(once_a_due_time(run, route.actor, due_times, again=again))


@once_a_process
def due_times() -> DueTimes:
    """Return what takes due times, in the central database."""
    from growbin_jobs.scheduler.effects import DueTimes  # producers import actors, and need none of it
    from growbin_jobs.wiring import central_database

    return DueTimes(central_database(_settings.current()))
