"""Puts questions down for a batch, each with the message that waits for its answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from growbin_jobs.adapters.llm.attribution import attribution
from growbin_jobs.ai.batching import PutDown
from growbin_jobs.ai.questions import Question
from growbin_jobs.engine.delivery.reruns import TIER
from growbin_jobs.limits.usage import BATCH
from growbin_jobs.model_catalog import Purpose
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_questions import BatchQuestion, BatchQuestions, Waiter


class BatchDesk:
    """Where stages put questions down.

    Parameters:
      questions: The tables.
      has_batches: Returns whether a model may be asked in batches: its server has not refused them yet.
    """

    def __init__(self, questions: BatchQuestions, has_batches: Callable[[str], bool]) -> None:
        self._questions = questions
        self._has_batches = has_batches

    def for_message(
        self, message: Mapping[str, Any] | None, purpose: Purpose, asks: Mapping[str, Any]
    ) -> PutDown | None:
        """Return what puts the question of a message down; None where the message does not want that.

        Parameters:
          message: As it is sent; None: the actor was called directly.
          purpose: What the answer is for.
          asks: What the request is made from.
        """
        if message is None or message["options"].get(TIER) != BATCH:
            return None

        def put(question: Question) -> bool:
            for_whom = attribution()
            if not self._has_batches(question.model):
                self._questions.note_standard(for_whom.analysis_id, Why.NO_BATCHES)
                return False
            self._questions.put_down(
                BatchQuestion(question.key, uuid.uuid4().hex, purpose, question.model, question.prompt, asks),
                Waiter(
                    message_id=message["message_id"],
                    analysis_id=for_whom.analysis_id,
                    user_id=for_whom.user_id,
                    attempt=for_whom.attempt,
                    body=json.dumps(message),
                ),
            )
            return True

        return put
