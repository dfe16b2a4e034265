"""Lets paid requests go from the node's offline share while the central database is away, where there is one.

Without a share they wait, which is the default. With one, nothing but the share is asked: no breaker and no budget. So
it is not used where a budget has a cap, and it rests for a minute after each failure.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Final

from growbin_jobs.adapters.llm.guards import Ending, Guard, Held, PlannedRequest
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.engine.central.driver import TooSlow
from growbin_jobs.errors import Away, Deferred, GrowbinError
from growbin_jobs.limits.breaker_evidence import evidence
from growbin_jobs.limits.named import NamedLimits
from growbin_jobs.limits.offline_share import HOLD, OfflineShare

#: Seconds that a request waits for its turn in the share; then its message waits for the database.
PATIENCE: Final = 10.0


class OfflineGuard:
    """See :class:`growbin_jobs.adapters.llm.guards.Guard`.

    Parameters:
      guards: Who must agree while the database is there.
      alone: Who must agree while it is away.
      limits: Which limits a request takes.
      share: The node's.
    """

    def __init__(
        self, guards: Sequence[Guard], alone: Sequence[Guard], limits: NamedLimits, share: OfflineShare
    ) -> None:
        self._guards = guards
        self._alone = [*alone, _RestAfterFailure(limits, share)]
        self._limits = limits
        self._share = share

    def admit(self, request: PlannedRequest) -> Held:
        """Ask the guards, or, where the database is away, the share.

        Raises:
          Away: The share has nothing soon.
          Deferred, Permanent: What a guard raises.
        """
        try:
            self._share.renew([limit.name for limit in self._limits.needed(request)])
            held = _Together(self._guards, request)
        except Deferred as error:
            if not is_away(error) or not self._is_leased(request):
                raise
            away = error
        else:
            return held
        try:
            return _Together(self._alone, request)
        except Deferred:
            raise away from None

    def _is_leased(self, request: PlannedRequest) -> bool:
        return self._share.is_leased([limit.name for limit in self._limits.needed(request)])


def is_away(error: BaseException) -> bool:
    """Return whether an error says that the central database is away, or too slow to be waited for."""
    return isinstance(error, Away | TooSlow)


class _Together:
    """What several guards hold, as one."""

    def __init__(self, guards: Sequence[Guard], request: PlannedRequest) -> None:
        self._ending = Ending()
        with ExitStack() as stack:
            for guard in guards:
                held = guard.admit(request)
                stack.callback(self._ending.account, held)
                self._ending.hold(held)
            self._stack = stack.pop_all()

    def begin(self) -> None:
        self._ending.begin()

    def release(self) -> None:
        self._stack.close()

    def settle(self, record: ModelRequest, failure: BaseException | None) -> GrowbinError | None:
        self._ending.note(record, failure)
        self._stack.close()
        return self._ending.instead


class _RestAfterFailure:
    """Holds the share after a failure, and lets the message wait instead of spending a retry."""

    def __init__(self, limits: NamedLimits, share: OfflineShare) -> None:
        self._limits = limits
        self._share = share

    def admit(self, request: PlannedRequest) -> Held:
        return _Watched(self._share, [limit.name for limit in self._limits.needed(request)])


class _Watched:
    def __init__(self, share: OfflineShare, names: list[str]) -> None:
        self._share = share
        self._names = names

    def release(self) -> None:
        pass

    def settle(self, record: ModelRequest, failure: BaseException | None) -> GrowbinError | None:
        found = evidence(record, failure)
        if found.says != "fails":
            return None
        with suppress(Deferred):
            self._share.hold(self._names)
        return Deferred(f"A request from the offline share has failed ({found.reason}).", wait=HOLD, capacity=True)
