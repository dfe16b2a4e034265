"""Ends a batch whose questions have no answer: they are asked in the standard tier."""

from __future__ import annotations

import logging

from growbin_jobs.limits.batch_money import BatchMoney
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_questions import PAGE, BatchQuestions
from growbin_jobs.models.batches import Batch, Batches

logger = logging.getLogger(__name__)


class EndBatches:
    """Ends batches.

    Parameters:
      batches, questions: The tables.
      money: Of their requests.
    """

    def __init__(self, batches: Batches, questions: BatchQuestions, money: BatchMoney) -> None:
        self._batches = batches
        self._questions = questions
        self._money = money

    def end(self, batch: Batch, outcome: str, why: Why, *, cost_is_known: bool = True) -> None:
        """Settle what is left of a batch, and note that it is done. Where that is interrupted it goes on the next time.

        Parameters:
          batch: Under the caller's lease.
          outcome: In a word.
          why: Why its questions are asked otherwise.
          cost_is_known: They cost nothing; False: nobody can say, and what was reserved stays spent.
        """
        standard = 0
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
            standard += len(page)
        self._batches.database.transaction(lambda connection: self._batches.done(connection, batch, outcome))
        logger.info(
            "batch.done id=%s outcome=%s requests=%d answered=%d standard=%d",
            *(batch.id, outcome, batch.requests, batch.answered, batch.standard),
        )

    def _settle(self, connection: object, batch: Batch, ends: dict[str, Why | None]) -> Batch:
        self._questions.settle_in(connection, ends)
        return self._batches.change_in(connection, batch, standard=batch.standard + len(ends))
