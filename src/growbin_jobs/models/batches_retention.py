"""Deletes batches that have been done for long, with their questions and the messages that waited for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.forgetting import OldRows, forget

#: Days that a batch which is done is kept, with its questions and the messages that waited for them.
KEPT_DAYS: Final = 30


def old_rows(now: float) -> list[OldRows]:
    """Return what has been done for :data:`KEPT_DAYS` at a time, in seconds since 1970."""
    before = (now - KEPT_DAYS * 86_400.0,)
    return [
        OldRows("model_batch_waiter", ("message_id",), "back_at IS NOT NULL AND back_at < ?", before),
        OldRows("model_batch_question", ("key",), "state = 'done' AND put_at < ?", before),
        OldRows("model_batch", ("id",), "ended_at IS NOT NULL AND ended_at < ?", before),
    ]


@dataclass(frozen=True, slots=True)
class KeepBatches:
    """A periodic job: delete what has been done for long. The keepers of all nodes do it.

    Attributes:
      database: Returns the central one.
    """

    database: Callable[[], Database]

    def run_once(self) -> dict[str, int]:
        """Delete it; return how many rows by table.

        Raises:
          Deferred: The database is away.
        """
        database = self.database()
        return forget(database, old_rows(clock_of(database)))
