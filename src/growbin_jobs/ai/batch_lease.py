"""Keeps the lease of a batch while somebody works on it, and knows how long it surely holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from growbin_jobs.errors import GrowbinError
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batches import Batches, LeaseLost

logger = logging.getLogger(__name__)


class Kept:
    """Renews a lease in a thread of its own.

    Parameters:
      batches: The table.
      batch: With its fence.
      clock: Monotonic seconds.
    """

    def __init__(self, batches: Batches, batch: Batch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._batches = batches
        self._batch = batch
        self._clock = clock
        self._renewed = clock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="batch-lease", daemon=True)

    def __enter__(self) -> Self:
        self._renew()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Make sure that the lease holds for another half of its time.

        It is called before what must not be done twice: whoever takes the lease after us looks for it first, and must
        find it.

        Raises:
          LeaseLost: It may have ended.
        """
        if self._clock() - self._renewed > self._batches.lease / 2:
            raise LeaseLost(self._batch.id)

    def _renew(self) -> None:
        begun = self._clock()
        self._batches.renew(self._batch)
        self._renewed = begun

    def _go_on(self) -> None:
        while not self._ended.wait(self._batches.lease / 4):
            try:
                self._renew()
            except GrowbinError as error:
                logger.warning("batch.lease_not_renewed id=%s reason=%s", self._batch.id, type(error).__name__)
