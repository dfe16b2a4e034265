"""Reads something seldom that is asked for often: a scrape must not wait for a database, nor burden it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from growbin_jobs.errors import Deferred, GrowbinError
from growbin_jobs.metrics.exposition import Reading

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Source:
    """Where some gauges come from. What cannot be read is missing, and not 0.

    Attributes:
      name: For people, and the label of what says whether it could be read.
      read: Returns the gauges.
      every: Seconds for which what was read is shown.
      patience: Seconds that a scrape waits for it; then it goes on without, until it is there.
      clock: Monotonic seconds.
    """

    name: str
    read: Callable[[], Sequence[Reading]]
    every: float = 10.0
    patience: float = 2.0
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _reader: threading.Thread | None = field(default=None, init=False)
    _found: tuple[float, Sequence[Reading] | None] = field(default=(-1e9, None), init=False)

    def readings(self) -> Sequence[Reading] | None:
        """Return the gauges; None where they could not be read."""
        with self._lock:
            reader = self._reader
            if self.clock() - self._found[0] >= self.every and (reader is None or not reader.is_alive()):
                reader = self._reader = threading.Thread(target=self._refresh, name=f"read-{self.name}", daemon=True)
                reader.start()
        if reader is not None:
            reader.join(self.patience)
        at, found = self._found
        return found if self.clock() - at < self.every + self.patience else None

    def _refresh(self) -> None:
        found: Sequence[Reading] | None = None
        try:
            found = list(self.read())
        except (Deferred, GrowbinError, OSError) as error:
            logger.debug("metrics.source_away source=%s error=%s", self.name, type(error).__name__)
        except Exception as error:
            logger.warning("metrics.source_failed source=%s error=%s", self.name, type(error).__name__)
        self._found = self.clock(), found
