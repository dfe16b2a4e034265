"""The last guard of the list: a request that waited for its turn is not sent into an outage that began meanwhile."""

import time

from growbin_jobs.adapters.llm.guards import Held, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.limits.breaker_guard import STILL_GOOD, BreakerGuard


class LastLook:
    """See the module.

    Parameters:
      guard: The first guard of the same list.
    """

    def __init__(self, guard: BreakerGuard) -> None:
        self._guard = guard

    def admit(self, request: PlannedRequest) -> Held:
        """See :class:`growbin_jobs.adapters.llm.guards.Guard`."""
        self._guard.check_again(request)
        return _Looked(self._guard, request)


class _Looked:
    """When it was looked last; nothing is held."""

    def __init__(self, guard: BreakerGuard, request: PlannedRequest) -> None:
        self._guard = guard
        self._request = request
        self._at = time.monotonic()

    def begin(self) -> None:
        """See :class:`growbin_jobs.adapters.llm.guards.Beginning`: connecting can take seconds."""
        if time.monotonic() - self._at > STILL_GOOD:
            self._guard.check_again(self._request)

    def release(self) -> None:
        pass

    def settle(self, _record: ModelRequest, _failure: BaseException | None) -> None:
        pass
