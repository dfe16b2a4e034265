"""What operations on tasks need of this installation: the functions of its actors, and what requests cost and may."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.named import NamedLimits, named_limits
from growbin_jobs.limits.promises import Promises
from growbin_jobs.operations.bulk_preview import Prices
from growbin_jobs.settings import Settings


@cache
def function_of(actor: str) -> Callable[..., Any] | None:
    """Return the function of one of our actors; None: it is none of them.

    Importing the actors declares them and connects to nothing; only a worker takes their messages.
    """
    import growbin_jobs.ai
    import growbin_jobs.storage  # noqa: F401 declares its actors
    from growbin_jobs.app import broker

    found = broker.actors.get(actor)
    return None if found is None else found.fn


def prices_of(settings: Settings, database: Database) -> Prices:
    """Return what money and minutes of bulk jobs are reckoned with: the limits that hold now.

    Raises:
      Deferred: The database is away.
    """
    limits = None
    if settings.models_online:
        rates = named_limits(settings).rates
        current = Promises(database).current()
        rates |= {name: promise.rate for name, promise in current.items() if promise.origin == "person"}
        limits = NamedLimits(rates)
    models = {"vision": settings.vision_model, "text": settings.text_model}
    return Prices(limits=limits, models=models, answer_ttl=settings.answer_ttl)
