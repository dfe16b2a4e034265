"""Declares the actors that the schedule fires: each due time has its effect once, however often its message comes."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from growbin_jobs import settings as _settings
from growbin_jobs.actors import actor
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import Deferred

if TYPE_CHECKING:
    from dramatiq import Actor

    from growbin_jobs.scheduler.effects import DueTimes, Run


def periodic(route: Route, *, again: bool = False) -> Callable[[Callable[..., Any]], Actor[Any, Any]]:
    """Return the decorator of an actor that the schedule fires, with ``due``, ``since`` and ``until`` (ISO 8601, UTC).

    A second message of the same due time returns None and does nothing. A run that fails gives its due time back.

    Parameters:
      route: Its wire name is the job's name in the schedule.
      again: Its effect is to send messages, whose ids are made from this one's: it runs again after a crash.
    """
    declare = actor(route)

    def decorate(run: Callable[..., Any]) -> Actor[Any, Any]:
        @functools.wraps(run)
        def once(due: str, *args: Any, **interval: Any) -> Any:
            with due_times().taking(route.actor, due, again=again) as taken:
                if taken is None:
                    return None
                crashpoint("schedule.taken")
                with _kept(taken):
                    result = run(due, *args, **interval)
                crashpoint("schedule.effect")
                return result

        return declare(once)

    return decorate


@once_a_process
def due_times() -> DueTimes:
    """Return what takes due times, in the central database."""
    from growbin_jobs.scheduler.effects import DueTimes  # producers import actors, and need none of it
    from growbin_jobs.wiring import central_database

    return DueTimes(central_database(_settings.current()))


@contextmanager
def _kept(run: Run) -> Iterator[None]:
    """Keep a due time for as long as the block takes."""
    from growbin_jobs.scheduler.effects import LEASE

    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(LEASE.total_seconds() / 3):
            try:
                run.keep()
            except Deferred:  # the database is away, or another run has it: the end of this run finds out
                continue

    keeping = threading.Thread(target=keep, name="due-time", daemon=True)
    keeping.start()
    try:
        yield
    finally:
        ended.set()
        keeping.join()
