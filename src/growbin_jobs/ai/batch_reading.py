"""Reads the results of a batch as a stream: in any order, by the ids of requests, and each of them once."""

from __future__ import annotations

import itertools
import logging
from http import HTTPStatus
from typing import Any, Final

from growbin_jobs.adapters.llm.attribution import Attribution
from growbin_jobs.adapters.llm.batch_lines import Result, lines_of, read_result
from growbin_jobs.adapters.llm.batches import BatchServer
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.ai.batch_requests import BatchRequests
from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.errors import GrowbinError
from growbin_jobs.limits.batch_money import BatchMoney
from growbin_jobs.limits.usage import BATCH
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_questions import BatchQuestion, BatchQuestions, Waiter
from growbin_jobs.models.batch_row import Batch
from growbin_jobs.models.batch_settling import BatchSettling
from growbin_jobs.models.batches import Batches

logger = logging.getLogger(__name__)

#: Results that are settled in one transaction.
_PAGE: Final = 100

#: Codes of requests that the server has not worked on.
_NOT_ASKED: Final = {"batch_expired": Why.EXPIRED, "batch_cancelled": Why.CANCELLED}


class ReadResults:
    """Reads results.

    Parameters:
      batches, questions: The tables.
      settling: Settles what is answered.
      money: Of the requests.
      client: Reads replies as it reads live ones.
      requests: How replies are read.
      answers: Where answers are kept; long enough for the messages to come back.
    """

    def __init__(
        self,
        batches: Batches,
        questions: BatchQuestions,
        settling: BatchSettling,
        money: BatchMoney,
        client: ModelClient,
        requests: BatchRequests,
        answers: SharedAnswers,
    ) -> None:
        self._batches = batches
        self._questions = questions
        self._settling = settling
        self._money = money
        self._client = client
        self._requests = requests
        self._answers = answers

    @property
    def _server(self) -> BatchServer:
        return self._client.in_batches.server

    def read(self, batch: Batch, file_id: str) -> Batch:
        """Read a file of results, and settle the questions that it answers or refuses.

        Results that were settled before are passed over: a process that was killed in between has left the rest.

        Raises:
          Missing: The server does not have it any more.
          Transient, Deferred: It cannot be read now, or the database is away.
        """
        with self._server.reading(file_id) as pieces:
            results = (result for line in lines_of(pieces) if (result := self._read_line(batch, line)) is not None)
            while page := list(itertools.islice(results, _PAGE)):
                batch = self._settle(batch, {result.id: result for result in page})
        return batch

    def _read_line(self, batch: Batch, line: bytes) -> Result | None:
        result = read_result(line)
        if result is None:
            logger.warning("batch.line_unreadable id=%s bytes=%d", batch.id, len(line))
        return result

    def _settle(self, batch: Batch, results: dict[str, Result]) -> Batch:
        questions = self._questions.by_ids(batch.id, list(results))
        if not questions:
            return batch
        waiters = self._questions.first_waiters([question.key for question in questions.values()], also_back=True)
        ends: dict[str, Why | None] = {}
        answers: list[tuple[BatchQuestion, str]] = []
        records: list[ModelRequest] = []
        not_asked: list[str] = []
        for question in questions.values():
            result = results[question.id]
            if result.status is None:
                ends[question.key] = _NOT_ASKED.get(result.error or "", Why.NOT_ASKED)
                not_asked.append(question.id)
                continue
            record = _record(batch, question, waiters.get(question.key))
            answer = self._answer(question, result, record)
            ends[question.key] = answer if isinstance(answer, Why) else None
            if isinstance(answer, str) and not isinstance(answer, Why):
                answers.append((question, answer))
            records.append(record)
        self._money.settle(records)
        self._money.release(not_asked)
        crashpoint("batch.booked")

        def work(connection: Any) -> Batch:
            for question, response in answers:
                self._answers.put(
                    connection, question.key, prompt=question.prompt, response=response, model=question.model
                )
            self._settling.settle_in(connection, ends)
            answered = sum(why is None for why in ends.values())
            return self._batches.change_in(
                connection, batch, answered=batch.answered + answered, standard=batch.standard + len(ends) - answered
            )

        batch = self._batches.database.transaction(work)
        crashpoint("batch.settled")
        return batch

    def _answer(self, question: BatchQuestion, result: Result, record: ModelRequest) -> str | Why:
        """Return the answer as it is kept, or why the question is asked otherwise; the record gets its end."""
        record.status, record.request_id = result.status, result.request_id
        failure: Exception | None = None
        answer: str | Why
        try:
            request = self._requests.reader(question)
            completion = self._client.in_batches.read(request, result.status or 0, result.body, record)
            answer = self._requests.answer(question, completion)
        except Exception as error:  # one result that nobody expected must not keep the others
            failure = error
            answer = Why.UNUSABLE if result.status == HTTPStatus.OK else Why.REFUSED
            words = str(error) if isinstance(error, GrowbinError) else type(error).__name__
            logger.warning(
                "batch.request_failed purpose=%s id=%s why=%s: %s", question.purpose, question.id, answer.value, words
            )
        record.end(failure)
        record.latency = 0.0  # nobody waited for it
        return answer


def _record(batch: Batch, question: BatchQuestion, waiter: Waiter | None) -> ModelRequest:
    """Return the request as it is booked: in the tier of the batch, whatever its response says of that."""
    whom = Attribution(question=question.key)
    if waiter is not None:
        whom = Attribution(waiter.analysis_id, waiter.user_id, waiter.message_id, waiter.attempt, question.key)
    return ModelRequest(
        question.model, question.purpose, id=question.id, asked_tier=BATCH, service_tier=BATCH,
        sent_at=batch.sent_at or batch.made_at, attribution=whom,
    )  # fmt: skip
