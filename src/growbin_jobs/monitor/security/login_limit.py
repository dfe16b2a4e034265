"""How often a password may be wrong: for a name from one address, for an address, for a name from everywhere.

Kept in memory; a restart forgets. The last of the three is wide, so that a stranger cannot easily lock somebody out.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_network
from typing import Final

from growbin_jobs.monitor.security.origins import parsed_address
from growbin_jobs.monitor.security.refusals import TooManyAttempts

#: Wrong attempts before the next one must wait, and seconds until an attempt is forgotten.
OF_PAIR: Final = 5
OF_ADDRESS: Final = 20
OF_NAME: Final = 50
WINDOW: Final = 300.0

#: Keys that are remembered at most; the oldest are forgotten first.
_REMEMBERED: Final = 20_000


class LoginLimit:
    """Counts wrong attempts.

    An attempt counts before its password is checked, and is taken back when it was right: many at once cannot slip by.

    Parameters:
      clock: Returns seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._attempts: OrderedDict[tuple[str, ...], list[float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Count an attempt and return its mark for :meth:`succeeded`.

        Raises:
          TooManyAttempts: There were too many; this one must not be checked.
        """
        with self._lock:
            now = self._clock()
            keys = _keys(name, address)
            recent = {key: [at for at in self._attempts.get(key, ()) if at > now - WINDOW] for key in keys}
            for key, most in keys.items():
                if len(recent[key]) >= most:
                    raise TooManyAttempts(recent[key][-most] + WINDOW - now)
            for key in keys:
                self._attempts.pop(key, None)
                self._attempts[key] = [*recent[key], now]
            while len(self._attempts) > _REMEMBERED:
                self._attempts.popitem(last=False)
            return now

    def succeeded(self, name: str, address: str, mark: float) -> None:
        """Take an attempt back: its password was right."""
        with self._lock:
            for key in _keys(name, address):
                attempts = self._attempts.get(key, [])
                if mark in attempts:
                    attempts.remove(mark)
                if not attempts:
                    self._attempts.pop(key, None)


def _keys(name: str, address: str) -> dict[tuple[str, ...], int]:
    where = _network_of(address)
    return {("pair", name, where): OF_PAIR, ("address", where): OF_ADDRESS, ("name", name): OF_NAME}


def _network_of(address: str) -> str:
    """Return the address, or the /64 of an IPv6 one: whoever has one address of it has all."""
    known = parsed_address(address)
    return str(ip_network((known, 64), strict=False)) if isinstance(known, IPv6Address) else address
