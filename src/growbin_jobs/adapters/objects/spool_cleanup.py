"""A periodic job that deletes spooled pictures which no message needs any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from growbin_jobs.adapters.objects.port import ObjectStore
from growbin_jobs.names import SPOOL_PREFIX


@dataclass(frozen=True, slots=True)
class ClearSpool:
    """Delete old pictures from the object store's spool.

    Such a picture belongs to a dead letter, which is not kept longer, or to a message that was never sent. The keepers
    of all nodes do this; what another one has deleted is fine.

    Attributes:
      objects: Returns the object store. Called by the first run: opening S3 loads boto3.
      older_than: Seconds since the picture was handed in.
      clock: Seconds since 1970 by a clock that all nodes share. One that is ahead must not delete what is needed.
    """

    objects: Callable[[], ObjectStore]
    older_than: float
    clock: Callable[[], float] = time.time

    def run_once(self) -> dict[str, int]:
        objects = self.objects()
        before = datetime.fromtimestamp(min(self.clock(), time.time()) - self.older_than, UTC)
        old = [entry.key for entry in objects.list(SPOOL_PREFIX) if entry.modified < before]
        for key in old:
            objects.delete(key)
        return {"pictures": len(old)} if old else {}
