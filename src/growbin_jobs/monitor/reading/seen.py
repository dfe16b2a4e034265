"""Writes down that somebody saw a person's data: once while they look, and not with each refresh of an open page."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import Request

from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.security.identify import identity_of

#: Seconds for which looking at the same thing again is the same look.
SAME_LOOK: Final = 300.0

_REMEMBERED: Final = 10_000


class Looks:
    """Which looks were written down in the last minutes. For any thread.

    Parameters:
      clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_new(self, look: tuple[str, ...]) -> bool:
        """Return True unless this look goes on."""
        with self._lock:
            return self._clock() - self._known.get(look, float("-inf")) > SAME_LOOK

    def written(self, look: tuple[str, ...]) -> None:
        """Note that a look is written down."""
        with self._lock:
            self._known[look] = self._clock()
            self._known.move_to_end(look)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


_looks: Final = Looks()


def record_look(
    request: Request, action: str, *, target: str, whose: str, details: Mapping[str, Any] | None = None
) -> None:
    """Write down who sees whose data; nothing where the same person wrote it down in the last five minutes.

    Parameters:
      action: Such as ``photo.seen``.
      target: Which thing.
      whose: Whose data it is.
      details: More, ready for JSON.

    Raises:
      Away: The database is away; then nothing must be shown.
    """
    identity = identity_of(request)
    who = (identity.kind, identity.name, identity.session or "") if identity else ("", "", "")
    look = (str(id(request.app)), *who, action, target, str(dict(details or {})))
    if _looks.is_new(look):
        record(request, action, target=target, whose=whose, details=details)
        _looks.written(look)
