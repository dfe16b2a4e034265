"""How an actor of the pipeline is declared."""

from typing import TYPE_CHECKING, Any

import dramatiq

from growbin_jobs.app import broker
from growbin_jobs.engine.errors import GrowbinError
from growbin_jobs.names import Route

if TYPE_CHECKING:
    from dramatiq.actor import ActorDecorator


def stage(
    route: Route, *, retries: int, backoff: float, time_limit: float, records_failure_of: str | None
) -> "ActorDecorator":
    """Return the decorator of an actor.

    Parameters:
      route: Its wire name and queue.
      retries: How often it is retried.
      backoff: Seconds before the first retry.
      time_limit: Seconds that it may run.
      records_failure_of: What the analysis says has failed when this is given up; None: it is no stage of an analysis.
    """
    options: dict[str, Any] = {} if records_failure_of is None else {"stage": records_failure_of}
    return dramatiq.actor(
        broker=broker,
        actor_name=route.actor,
        queue_name=route.queue,
        throws=GrowbinError,  # expected: logged in one line, without a traceback
        max_retries=retries,
        min_backoff=int(backoff * 1000),
        time_limit=time_limit * 1000,
        **options,
    )
