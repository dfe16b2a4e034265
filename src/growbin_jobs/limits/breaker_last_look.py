"""The last guard of the list: a request that waited for its turn is not sent into an outage that began meanwhile."""

from typing import Final

from growbin_jobs.adapters.llm.guards import Held, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.limits.breaker_guard import BreakerGuard


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
        return _NOTHING


class _Nothing:
    """Nothing is held."""

    def release(self) -> None:
        pass

    def settle(self, _record: ModelRequest, _failure: BaseException | None) -> None:
        pass


_NOTHING: Final = _Nothing()
