"""Asks whether it is the checker that is offline, before a target is called down."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

#: Seconds that an answer holds: when the line is down thousands of checks fail at once.
HOLDS: Final = 10.0

#: Targets that are tried at most.
MOST_TRIED: Final = 3


class Connectivity:
    """Tries controls: addresses that answer unless our own line is down.

    Parameters:
      controls: Addresses that the operator has set; they may be any of HTTP.
      reach: Returns whether anything answers at an address.
      peers: Returns the addresses of targets that were well lately, for where no control is set.
      monotonic: A clock.
    """

    def __init__(
        self,
        controls: Sequence[str],
        reach: Callable[[str], bool],
        *,
        peers: Callable[[], Sequence[str]] = lambda: (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controls = tuple(controls)
        self._reach = reach
        self._peers = peers
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: tuple[float, bool] | None = None

    def online(self, *, but: str = "") -> bool:
        """Return False where no control answers. With nothing to try the line counts as up.

        Parameters:
          but: The address of the target that has failed.
        """
        with self._lock:
            if self._known is not None and self._monotonic() - self._known[0] < HOLDS:
                return self._known[1]
            tried = [each for each in self._controls or self._peers() if each != but][:MOST_TRIED]
            online = not tried or any(self._reach(each) for each in tried)
            # What one target's failure shows is no news for that target's neighbours where nothing was tried.
            self._known = (self._monotonic(), online) if tried else None
            return online
