"""Looks after batches at the server: how far they are, with growing pauses; their results, once they have ended."""

from __future__ import annotations

import logging

from growbin_jobs.adapters.llm.batches import BatchServer, Missing, ServerBatch
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.ai.batch_ending import EndBatches
from growbin_jobs.ai.batch_lease import Kept
from growbin_jobs.ai.batch_reading import ReadResults
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.errors import GrowbinError
from growbin_jobs.models.batch_life import (
    CANCELLED_AFTER,
    LOOKED_AFTER_IN,
    LOST_AFTER,
    State,
    Why,
    end_of,
    pause_after,
)
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batches import Batches, LeaseLost

logger = logging.getLogger(__name__)


class LookAfterBatches:
    """The job that looks after batches.

    Parameters:
      batches: The table.
      client: Whom to ask.
      reading: Reads results.
      ending: Settles what has none.
      first_look: Seconds of the first pause.
    """

    def __init__(
        self, batches: Batches, client: ModelClient, reading: ReadResults, ending: EndBatches, *, first_look: float
    ) -> None:
        self._batches = batches
        self._client = client
        self._reading = reading
        self._ending = ending
        self._first_look = first_look

    @property
    def _server(self) -> BatchServer:
        return self._client.in_batches.server

    def run_once(self) -> dict[str, int]:
        """Look at all batches that are due.

        Raises:
          Deferred: The database is away.
        """
        looked = 0
        while batch := self._batches.take(LOOKED_AFTER_IN):
            looked += 1
            try:
                with Kept(self._batches, batch):
                    self._look(batch)
            except LeaseLost as error:
                logger.warning("batch.lease_lost id=%s: %s", batch.id, error)
        return {"looked_at": looked}

    def _look(self, batch: Batch) -> None:
        try:
            if batch.state is State.SENT:
                sent = self._still_at_the_server(batch)
                if sent is None:
                    return
                batch = sent
            self._read(batch)
        except LeaseLost:
            raise
        except GrowbinError as error:
            logger.warning("batch.not_looked_at id=%s state=%s: %s", batch.id, batch.state, error)
            pause = max(pause_after(batch.looks, self._first_look), getattr(error, "wait", 0.0))
            self._batches.rest(batch, pause, problem=str(error))

    def _still_at_the_server(self, batch: Batch) -> Batch | None:
        """Return a batch that has ended at the server; None while it goes on, or where nobody knows what it became."""
        assert batch.server_id is not None
        age = batch.now - (batch.sent_at or batch.made_at)
        try:
            found = self._server.retrieve(batch.server_id)
            goes_on = end_of(found.status) is None and found.status != "cancelling"
            if goes_on and (batch.cancelled_by is not None or age > CANCELLED_AFTER):
                logger.warning("batch.cancelling id=%s by=%s", batch.id, batch.cancelled_by or "its time is over")
                found = self._server.cancel(batch.server_id)
        except Missing:
            self._ending.end(batch, "lost", Why.LOST, cost_is_known=False)
            return None
        if end_of(found.status) is not None:
            return self._ended(batch, found)
        if age > LOST_AFTER:
            self._ending.end(batch, "lost", Why.LOST, cost_is_known=False)
            return None
        self._batches.rest(batch, pause_after(batch.looks, self._first_look), status=found.status)
        return None

    def _ended(self, batch: Batch, found: ServerBatch) -> Batch:
        logger.info("batch.ended id=%s status=%s problem=%s", batch.id, found.status, found.problem)
        return self._batches.change(
            batch, state=State.READING.value, server_status=found.status, problem=found.problem,
            output_file=found.output_file_id, error_file=found.error_file_id,
        )  # fmt: skip

    def _read(self, batch: Batch) -> None:
        status = batch.server_status or "lost"
        why, is_complete = end_of(status, batch.problem) or Why.LOST, True
        for file_id in filter(None, (batch.output_file, batch.error_file)):
            try:
                batch = self._reading.read(batch, file_id)
            except Missing:
                is_complete = False
        crashpoint("batch.read")
        self._ending.end(batch, status, why if is_complete else Why.LOST, cost_is_known=is_complete)
