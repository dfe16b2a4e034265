"""Reads something seldom that is asked for often: a scrape must not wait for a database, nor burden it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from growbin_jobs.errors import Deferred, GrowbinError
from growbin_jobs.metrics.exposition import Reading

logger = logging.getLogger(__name__)


def read_all(sources: Sequence[Source]) -> Iterator[tuple[Source, Sequence[Reading] | None]]:
    """Read sources at the same time: a page waits for the slowest, and not for one after the other.

    Prometheus gives a page ten seconds; with seven sources of a database that says nothing it would not be there, and
    what other sources know would be missing too.

    Yields:
      Each source, and its gauges or None.
    """
    for source in sources:
        source.begin()
    for source in sources:
        yield source, source.readings()


@dataclass(slots=True)
class Source:
    """Where some gauges come from. What cannot be read is missing, and not 0.

    Attributes:
      name: For people, and the label of what says whether it could be read.
      read: Returns the gauges.
      every: Seconds for which what was read is shown.
      patience: Seconds that scrapes wait for a read, from its begin; then they go on without, until it is there.
      clock: Monotonic seconds.
    """

    name: str
    read: Callable[[], Sequence[Reading]]
    every: float = 10.0
    patience: float = 2.0
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _reader: threading.Thread | None = field(default=None, init=False)
    _began: float = field(default=-1e9, init=False)
    _found: tuple[float, Sequence[Reading] | None] = field(default=(-1e9, None), init=False)

    def begin(self) -> None:
        """Begin to read where it is time to; a page begins with all its sources, and waits for all of them at once."""
        with self._lock:
            reader = self._reader
            if self.clock() - self._found[0] >= self.every and (reader is None or not reader.is_alive()):
                self._began = self.clock()
                self._reader = threading.Thread(target=self._refresh, name=f"read-{self.name}", daemon=True)
                self._reader.start()

    def readings(self) -> Sequence[Reading] | None:
        """Return the gauges; None where they could not be read."""
        self.begin()
        reader = self._reader
        if reader is not None:
            reader.join(max(0.0, self._began + self.patience - self.clock()))
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
