"""The object store behind the cluster's breaker ``objects``: an outage of it costs no message anything.

While the breaker is open, messages that need the store wait, and the process takes nothing from their queue. Whose turn
it is to probe first tries the store out with an object of our own: writing, listing, reading and deleting must all work
before the others go on.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from growbin_jobs.adapters.objects.port import Listed, ObjectInfo, ObjectStore, Reason, StoreFault, try_out
from growbin_jobs.errors import Away, ConfigurationError, Deferred, GrowbinError, NotFound, PictureRefused, Transient
from growbin_jobs.limits.breaker_failures import Failure, Noted
from growbin_jobs.limits.breaker_guard import ASKS_AGAIN, SUSPECTED_WAIT, tell_opened
from growbin_jobs.limits.breaker_store import BreakerStore

#: The breaker's name.
NAME: Final = "objects"

#: Seconds for which a process goes by what it knows, so that a store that works costs few questions.
FRESH: Final = 1.0

#: Seconds until others ask again while a probe is under way.
PROBE_TAKES: Final = 5.0

_REASONS: Final[dict[Reason, str]] = {
    "unreachable": "unreachable",
    "failed": "failed",
    "misconfigured": "objects_misconfigured",
    "refused": "objects_misconfigured",
}


#: Reasons that may lie in the object that one message asks for.
_OF_ONE: Final = frozenset({"failed", "objects_refused"})


class GuardedObjects:
    """See the module, and :class:`~growbin_jobs.adapters.objects.port.ObjectStore`.

    Parameters:
      objects: The store itself.
      breakers: Of the cluster.
      message_id: Returns the id of the message that the caller runs; empty outside of a run.
      alone: Asked when the database is away: whether the store is asked all the same.
      clock: Monotonic seconds.
    """

    def __init__(
        self,
        objects: ObjectStore,
        breakers: BreakerStore,
        *,
        message_id: Callable[[], str],
        alone: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alone = alone
        self.bucket = objects.bucket
        self._objects = objects
        self._breakers = breakers
        self._message_id = message_id
        self._clock = clock
        self._closed_until = self._told_until = self._asked_until = -FRESH

    def put(self, key: str, data: bytes, *, content_type: str, cache_control: str | None = None) -> str:
        with self._asked():
            return self._objects.put(key, data, content_type=content_type, cache_control=cache_control)

    def get(self, address_or_key: str, *, max_bytes: int | None = None) -> bytes:
        with self._asked(reads=True):
            return self._objects.get(address_or_key, max_bytes=max_bytes)

    def head(self, address_or_key: str) -> ObjectInfo:
        with self._asked(reads=True):
            return self._objects.head(address_or_key)

    def exists(self, address_or_key: str) -> bool:
        try:
            self.head(address_or_key)
        except NotFound:
            return False
        return True

    def delete(self, address_or_key: str) -> None:
        with self._asked():
            self._objects.delete(address_or_key)

    def list(self, prefix: str = "") -> Iterator[Listed]:
        with self._asked():
            yield from self._objects.list(prefix)

    def address(self, key: str) -> str:
        return self._objects.address(key)

    def presign(self, address_or_key: str, *, expires: int) -> str:
        return self._objects.presign(address_or_key, expires=expires)

    def check(self) -> None:
        self._objects.check()

    @contextmanager
    def _asked(self, *, reads: bool = False) -> Iterator[None]:
        """Ask the breaker before, and tell it what came of it.

        Parameters:
          reads: A key that comes from outside is read: a refusal may be the fault of that object alone.
        """
        probe, began = self._admitted(), self._clock()
        try:
            yield
        except StoreFault as fault:
            raise self._failed(fault, reads, began, probe) from None
        except (NotFound, PictureRefused):
            self._succeeded(began, probe)
            raise
        except BaseException:
            if probe is not None:
                with suppress(Deferred):
                    self._breakers.unused(NAME, probe=probe)
            raise
        self._succeeded(began, probe)

    def _admitted(self) -> int | None:
        """Return the number of the probe, where the caller's request is it.

        Raises:
          Deferred: The store is not asked for now.
        """
        now = self._clock()
        if now < self._closed_until or self._another_asks(now):
            return None
        try:
            admission = self._breakers.admit(NAME, message_id=self._message_id())
        except Away:
            self._closed_until = -FRESH
            if not self._alone():
                raise
            return None
        if admission.wait > 0:
            self._closed_until = -FRESH
            wait = min(admission.wait, PROBE_TAKES) if admission.probing else admission.wait
            raise _away(admission.reason, wait, for_all=not admission.gives_way)
        if admission.probe is None:
            self._closed_until = now + FRESH
            return None
        if reason := self._trial():
            noted = self._note(Failure(reason, self._clock() - now, probe=admission.probe))
            raise _away(noted.breaker.reason, noted.wait or SUSPECTED_WAIT, for_all=True)
        return admission.probe

    def _another_asks(self, now: float) -> bool:
        """Return whether the caller may go by what was known a moment ago, since another one is asking; else it asks.

        Sixteen uploads would ask at the same time, once a second. An answer that does not come is waited for by all,
        after as long again.
        """
        if now >= self._closed_until + FRESH:
            return False
        if now < self._asked_until:
            return True
        self._asked_until = now + FRESH
        return False

    def _trial(self) -> str:
        """Try the store out; return what is wrong with it, empty where it works."""
        try:
            try_out(self._objects)
        except StoreFault as fault:
            return _REASONS[fault.reason]
        except (ConfigurationError, Deferred, Transient):
            return "failed"
        return ""

    def _failed(self, fault: StoreFault, reads: bool, began: float, probe: int | None) -> GrowbinError:
        """Tell the breaker of a fault; return what the message is told in its place."""
        age, reason = self._clock() - began, _REASONS[fault.reason]
        if fault.reason == "refused" and reads:
            reason = self._trial() or "objects_refused"
        suspect = self._message_id() if reason in _OF_ONE else ""
        try:
            noted = self._note(Failure(reason, age, probe=probe, message_id=suspect))
        except Deferred as away:
            return away
        if not noted.own_fault:
            return _away(reason, noted.wait or SUSPECTED_WAIT, for_all=noted.wait > 0)
        if reason == "objects_refused":
            return NotFound("S3 refuses this object, and others it does not.")
        # Others were served since: that they were read does not say that this one can be written.
        if broken := self._trial():
            try:
                noted = self._note(Failure(broken, self._clock() - began, sure=True))
            except Deferred as away:
                return away
            return _away(broken, noted.wait or SUSPECTED_WAIT, for_all=True)
        return fault

    def _note(self, failure: Failure) -> Noted:
        self._closed_until = self._told_until = -FRESH
        noted = self._breakers.failed(NAME, failure)
        if noted.opened:
            tell_opened(noted.breaker, noted.wait)
        return noted

    def _succeeded(self, began: float, probe: int | None) -> None:
        now = self._clock()
        if probe is None and now < self._told_until:
            return
        self._told_until = now + FRESH
        with suppress(Deferred):  # the request has succeeded all the same
            self._breakers.succeeded(NAME, age=now - began, probe=probe)


def _away(reason: str, wait: float, *, for_all: bool) -> Deferred:
    why = f" ({reason})" if reason else ""
    return Deferred(
        f"The object store is not asked for now{why}: growbin-jobs breakers list says why.",
        wait=min(wait, ASKS_AGAIN),
        capacity=True,
        pauses_queue=for_all,
    )
