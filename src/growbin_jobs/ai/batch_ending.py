"""Ends a batch whose questions have no answer: they are asked in the standard tier."""

from __future__ import annotations

import logging
from collections.abc import Callable

from growbin_jobs.adapters.llm.batches import BatchServer
from growbin_jobs.errors import GrowbinError
from growbin_jobs.limits.batch_money import BatchMoney
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_questions import PAGE, BatchQuestions
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batch_settling import BatchSettling
from growbin_jobs.models.batches import Batches

logger = logging.getLogger(__name__)


class EndBatches:
    """Ends batches.

    Parameters:
      batches, questions: The tables.
      settling: Settles the questions that are left.
      money: Of their requests.
      server: Returns where their files are.
    """

    def __init__(
        self,
        batches: Batches,
        questions: BatchQuestions,
        settling: BatchSettling,
        money: BatchMoney,
        server: Callable[[], BatchServer],
    ) -> None:
        self._server = server
        self._batches = batches
        self._questions = questions
        self._settling = settling
        self._money = money

    def end(self, batch: Batch, outcome: str, why: Why, *, cost_is_known: bool = True) -> None:
        """Settle what is left of a batch, and note that it is done. Where that is interrupted it goes on the next time.

        Parameters:
          batch: Under the caller's lease.
          outcome: In a word.
          why: Why its questions are asked otherwise.
          cost_is_known: They cost nothing; False: nobody can say, and what was reserved stays spent.
        """
        batch = self._settle_rest(batch, why, cost_is_known=cost_is_known)
        self._tidy_up(batch)
        money = self._money.totals(batch.id)
        self._batches.database.transaction(
            lambda connection: self._batches.done(
                connection, batch, outcome, reserved=money.reserved, settled=money.settled, unknown=money.unknown
            )
        )
        logger.info(
            "batch.done id=%s outcome=%s requests=%d answered=%d standard=%d",
            *(batch.id, outcome, batch.requests, batch.answered, batch.standard),
        )

    def _settle_rest(self, batch: Batch, why: Why, *, cost_is_known: bool) -> Batch:
        while page := self._questions.of_batch(batch.id, limit=PAGE):
            ids = [question.id for question in page]
            if cost_is_known:
                self._money.release(ids)
            else:
                self._money.lose(ids)
            ends = dict.fromkeys((question.key for question in page), why)
            batch = self._batches.database.transaction(
                lambda connection, ends=ends, batch=batch: self._settle(connection, batch, ends)  # type: ignore[misc]
            )
        return batch

    def _tidy_up(self, batch: Batch) -> None:
        """Delete the files at the server: they hold people's pictures, and are not needed any more."""
        for file_id in filter(None, (batch.input_file, batch.output_file, batch.error_file)):
            self.delete(batch, file_id)

    def delete(self, batch: Batch, file_id: str) -> None:
        """Delete a file at the server; where that fails it is told, and nothing more."""
        try:
            self._server().delete(file_id)
        except GrowbinError as error:
            logger.warning("batch.file_not_deleted id=%s file=%s: %s", batch.id, file_id, error)

    def _settle(self, connection: object, batch: Batch, ends: dict[str, Why | None]) -> Batch:
        self._settling.settle_in(connection, ends)
        return self._batches.change_in(connection, batch, standard=batch.standard + len(ends))
