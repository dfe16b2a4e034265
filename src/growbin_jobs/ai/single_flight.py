"""Single flight: callers that want the same thing at the same time share one call."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

from growbin_jobs.errors import Deferred, Transient

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs one call a key at a time within this process; threads and greenlets that come meanwhile get its outcome.

    Parameters:
      patience: Seconds that a caller waits for another's call.
    """

    def __init__(self, *, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._flights: dict[str, Future[T]] = {}

    def do(self, key: str, call: Callable[[], T]) -> tuple[T, bool]:
        """Return the outcome of the call, and True where it was another caller's.

        Raises:
          Deferred: If the other caller's call takes longer than the patience.
          Exception: What the call raised, for all who share it.
        """
        with self._lock:
            flight = self._flights.get(key)
            if leads := flight is None:
                flight = self._flights[key] = Future()
        assert flight is not None
        if not leads:
            return self._join(flight), True
        try:
            result = call()
        except BaseException as error:
            self._land(key)
            # Dramatiq's time limit and gevent's timeouts are meant for the leader's message alone.
            mine = isinstance(error, Exception)
            flight.set_exception(error if mine else Transient("The call that this one shared was interrupted."))
            raise
        self._land(key)
        flight.set_result(result)
        return result, False

    def _join(self, flight: Future[T]) -> T:
        try:
            return flight.result(self._patience)
        except FutureTimeoutError:
            if flight.done():  # the call itself raised it
                raise
            raise Deferred("The same question is being asked for another message.", wait=5.0) from None

    def _land(self, key: str) -> None:
        with self._lock:
            del self._flights[key]
