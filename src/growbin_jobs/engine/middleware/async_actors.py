"""Runs ``async def`` actors: an event loop in each worker process that has any."""

from __future__ import annotations

import inspect
from typing import Any

from dramatiq import Worker
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.broker import Broker
from dramatiq.middleware import AsyncIO as DramatiqAsyncIO

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.middleware.in_place_of import InPlaceOf
from growbin_jobs.engine.threads import gevent_active


class AsyncIO(InPlaceOf, DramatiqAsyncIO):
    """Starts the event loop with a worker, where an actor of it is asynchronous.

    As Dramatiq's ``AsyncIO``: each worker thread waits for one coroutine, so time limits, retries, and what a coroutine
    sends are the same as in other actors. Under gevent an event loop's thread would stop the hub: there a worker with
    such actors does not start, see :meth:`check`.
    """

    stock = DramatiqAsyncIO

    def __init__(self) -> None:
        super().__init__()
        self._broker: Broker | None = None

    def after_declare_actor(self, broker: Broker, actor: Any) -> None:
        self._broker = broker

    def check(self) -> None:
        """Refuse to start a gevent worker that has asynchronous actors.

        Raises:
          ConfigurationError: With what to do.
        """
        names = sorted(_asynchronous(self._broker)) if self._broker is not None and gevent_active() else []
        if names:
            raise ConfigurationError(
                f"The actors {', '.join(names)} are async functions, and this worker runs under gevent. Run them in a "
                "worker with threads (dramatiq, not dramatiq-gevent; pool='threads' of their group), or make them "
                "plain functions: under gevent those wait without stopping others."
            )

    def before_worker_boot(self, broker: Broker, worker: Worker | None) -> None:
        if _asynchronous(broker) and not gevent_active():
            super().before_worker_boot(broker, worker)  # type: ignore[no-untyped-call]

    def after_worker_shutdown(self, broker: Broker, worker: Worker | None) -> None:
        if get_event_loop_thread() is not None:
            super().after_worker_shutdown(broker, worker)  # type: ignore[no-untyped-call]


def _asynchronous(broker: Broker) -> list[str]:
    return [name for name, actor in broker.actors.items() if inspect.iscoroutinefunction(inspect.unwrap(actor.fn))]
