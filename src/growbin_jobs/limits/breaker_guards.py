"""Builds the guard of the breakers; ``paid_calls`` puts it first in the list, and its last look behind all others."""

from collections.abc import Callable, Mapping

from growbin_jobs.adapters.llm.address import host_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.breaker_guard import BreakerGuard
from growbin_jobs.limits.breakers import Breakers


def breaker_guard(
    database: Database,
    *,
    base_url: str | None,
    look_up: Callable[[str], object],
    per_minute: Mapping[str, float],
    longest_wait: float,
) -> BreakerGuard:
    """Return the guard for the models of one server; :class:`growbin_jobs.limits.breaker_last_look.LastLook` takes it.

    Parameters:
      database: The central one.
      base_url: Address of the server; None: OpenAI.
      look_up: :meth:`ModelClient.look_up` of a client without guards.
      per_minute: Most requests in a minute by purpose; a purpose that is not limited is not in it.
      longest_wait: Seconds that the server is obeyed at most when it asks to wait.
    """
    return BreakerGuard(
        Breakers(database),
        server=host_of(base_url),
        look_up=look_up,
        per_minute=per_minute,
        longest_wait=longest_wait,
    )
