"""Requests that make no sense are refused before they are decided on."""

import math
from collections.abc import Mapping, Sequence

from growbin_jobs.errors import ConfigurationError, Permanent
from growbin_jobs.limits.gcra import Limit


def can_be_granted(limits: Sequence[Limit], costs: Mapping[str, float]) -> bool:
    """Return True where :func:`check_request` would not raise."""
    return (
        bool(costs)
        and len(limits) == len(costs)
        and all(0 < costs[limit.name] <= limit.burst and math.isfinite(costs[limit.name]) for limit in limits)
    )


def check_request(limits: Sequence[Limit], costs: Mapping[str, float]) -> None:
    """Refuse a request that can be granted at no time.

    Parameters:
      limits: Those of the request that exist.
      costs: Units by the limit's name.

    Raises:
      ConfigurationError: A limit does not exist, or the request names none or costs nothing.
      Permanent: ``model_request_too_large``: it costs more than the limit ever grants at once.
    """
    if not costs or not all(cost > 0 and math.isfinite(cost) for cost in costs.values()):
        raise ConfigurationError("A request needs at least one limit, and a positive cost in each.")
    if missing := set(costs) - {limit.name for limit in limits}:
        raise ConfigurationError(f"There is no limit {', '.join(sorted(missing))}. Make it first (LimitStore.ensure).")
    for limit in limits:
        if costs[limit.name] > limit.burst:
            raise Permanent("model_request_too_large", limit=limit.burst, requested=costs[limit.name])
