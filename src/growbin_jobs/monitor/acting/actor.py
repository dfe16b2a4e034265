"""Who acts, and what bulk jobs are reckoned with."""

from __future__ import annotations

from starlette.requests import Request

from growbin_jobs.monitor.security.identify import identity_of
from growbin_jobs.monitor.services import Services
from growbin_jobs.operating import prices_of as prices
from growbin_jobs.operations.bulk_preview import NO_MODELS, Prices


def name_of(request: Request) -> str:
    """Return who acts, as records name them."""
    identity = identity_of(request)
    return identity.name if identity else "nobody"


def prices_of(services: Services) -> Prices:
    """Return what money and minutes are reckoned with.

    Raises:
      Deferred: The database is away.
    """
    return prices(services.settings, services.database) if services.growbin else NO_MODELS
