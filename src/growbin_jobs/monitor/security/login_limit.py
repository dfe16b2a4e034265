"""How often a password may be wrong: for one name, for one address, and in all. Kept in memory; a restart forgets."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from growbin_jobs.monitor.security.refusals import TooManyAttempts

#: Wrong attempts before one must wait, and seconds until an attempt is forgotten.
OF_NAME: Final = 5
OF_ADDRESS: Final = 20
WINDOW: Final = 300.0

#: Names and addresses that are remembered at most; the oldest are forgotten first.
_REMEMBERED: Final = 10_000


class LoginLimit:
    """Counts wrong attempts.

    An attempt counts before its password is checked, and is taken back when it was right: many at once cannot slip by.

    Parameters:
      clock: Returns seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._attempts: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Count an attempt and return its mark for :meth:`succeeded`.

        Raises:
          TooManyAttempts: There were too many; this one must not be checked.
        """
        with self._lock:
            now = self._clock()
            for key, most in ((("name", name), OF_NAME), (("address", address), OF_ADDRESS)):
                recent = [at for at in self._attempts.get(key, ()) if at > now - WINDOW]
                if len(recent) >= most:
                    raise TooManyAttempts(recent[-most] + WINDOW - now)
            for key in (("name", name), ("address", address)):
                recent = [at for at in self._attempts.pop(key, ()) if at > now - WINDOW]
                self._attempts[key] = [*recent, now]
            while len(self._attempts) > _REMEMBERED:
                self._attempts.popitem(last=False)
            return now

    def succeeded(self, name: str, address: str, mark: float) -> None:
        """Take an attempt back: its password was right."""
        with self._lock:
            for key in (("name", name), ("address", address)):
                if mark in (attempts := self._attempts.get(key, [])):
                    attempts.remove(mark)
                if not attempts:
                    self._attempts.pop(key, None)
