"""The port of the breakers' store, and one in a process's memory (``tests/contract/test_breakers.py``)."""

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from growbin_jobs.limits import breaker as transitions
from growbin_jobs.limits.breaker import Admission, Breaker
from growbin_jobs.limits.breaker_failures import Failure, Noted, Past, noted

T = TypeVar("T")


class BreakerStore(Protocol):
    """Breakers by name, on one clock; one that nobody has told of anything is closed.

    All methods raise ``Deferred`` when the store is away.
    """

    def admit(self, name: str, *, per_minute: float = 0.0, message_id: str = "") -> Admission:
        """Ask to send one request; see :func:`growbin_jobs.limits.breaker.admit`."""
        ...

    def may_send(self, name: str) -> float:
        """Return the seconds until a request that was admitted before may be sent now; 0: at once. Takes nothing."""
        ...

    def failed(self, name: str, failure: Failure) -> Noted:
        """Note a request that failed; see :func:`growbin_jobs.limits.breaker_failures.noted`."""
        ...

    def succeeded(self, name: str, *, age: float, probe: int | None = None) -> None:
        """Note a request that succeeded, sent ``age`` seconds ago."""
        ...

    def unused(self, name: str, *, probe: int) -> None:
        """Give back the lease of a probe that was not sent, or that said nothing."""
        ...

    def told(self, name: str, *, by_server: float, per_minute: float) -> None:
        """Note the limit that the server told of; see :func:`growbin_jobs.limits.breaker.told`."""
        ...

    def reset(self, name: str) -> bool:
        """Close a breaker, by a person's wish. Returns False where none has this name."""
        ...

    def all(self) -> list[tuple[Breaker, float]]:
        """Return all breakers that anybody has told of something, by name, each with the store's time."""
        ...


class MemoryBreakers:
    """See :class:`BreakerStore`.

    Parameters:
      clock: Seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}
        self._past: dict[tuple[str, str], Past] = {}

    def admit(self, name: str, *, per_minute: float = 0.0, message_id: str = "") -> Admission:
        def ask(known: Breaker, now: float) -> tuple[Admission, Breaker]:
            admission, after = transitions.admit(known, now, per_minute=per_minute, message_id=message_id)
            return admission._replace(settled=name not in self._breakers or transitions.is_settled(after)), after

        return self._change(name, ask)

    def may_send(self, name: str) -> float:
        with self._lock:
            known, now = self._breakers.get(name), self._clock()
        return transitions.closed_in(transitions.healed(known, now), now) if known else 0.0

    def failed(self, name: str, failure: Failure) -> Noted:
        key = (name, failure.message_id)

        def note(known: Breaker, now: float) -> tuple[Noted, Breaker]:
            result, remembered = noted(known, self._past.get(key), now, failure)
            if remembered is not None:
                self._past[key] = remembered
            return result, result.breaker

        return self._change(name, note)

    def succeeded(self, name: str, *, age: float, probe: int | None = None) -> None:
        if name in self._breakers:
            self._change(
                name,
                lambda known, now: (None, transitions.succeeded(known, now, sent_at=now - age, probe=probe)),
            )

    def unused(self, name: str, *, probe: int) -> None:
        self._change(name, lambda known, now: (None, transitions.unused(known, now, probe=probe)))

    def told(self, name: str, *, by_server: float, per_minute: float) -> None:
        self._change(
            name,
            lambda known, now: (None, transitions.told(known, now, by_server=by_server, per_minute=per_minute)),
        )

    def reset(self, name: str) -> bool:
        if name not in self._breakers:
            return False
        self._change(name, lambda known, now: (None, transitions.reset(known, now)))
        return True

    def all(self) -> list[tuple[Breaker, float]]:
        with self._lock:
            now = self._clock()
            return [(transitions.healed(self._breakers[name], now), now) for name in sorted(self._breakers)]

    def _change(self, name: str, transition: Callable[[Breaker, float], tuple[T, Breaker]]) -> T:
        with self._lock:
            now = self._clock()
            before = self._breakers.get(name, Breaker(name))
            result, after = transition(transitions.healed(before, now), now)
            if after != before:
                self._breakers[name] = after
            return result
