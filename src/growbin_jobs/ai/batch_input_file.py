"""The input file of a batch: one request after the other, so that no more than one is held in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from growbin_jobs.adapters.llm.batch_lines import request_line
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.estimate import input_tokens
from growbin_jobs.ai.batch_requests import BatchRequests
from growbin_jobs.errors import Permanent, Transient
from growbin_jobs.limits.batch_money import BatchMoney
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_questions import BatchQuestion, BatchQuestions, Waiter
from growbin_jobs.models.batch_settling import BatchSettling


@dataclass(slots=True)
class _Page:
    """What becomes of the questions of a page that are not in the file.

    Attributes:
      ends: They are settled; None: their messages come back and see for themselves.
      back: They wait for another batch, behind the others.
      full: They wait for another batch, where they stand.
      unused: Requests for which something may be reserved.
    """

    ends: dict[str, Why | None] = field(default_factory=dict)
    back: list[str] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


class InputFile:
    """Builds input files, and reserves the money of what is in them.

    Parameters:
      questions: The tables.
      settling: Settles what is not asked.
      money: Of the requests.
      client: Fits requests to the server.
      requests: Makes them.
      most_bytes: Of a file.
      refuses: A question whose budget is spent is not put off but asked in the standard tier, which gives it up.
    """

    def __init__(
        self,
        questions: BatchQuestions,
        settling: BatchSettling,
        money: BatchMoney,
        client: ModelClient,
        requests: BatchRequests,
        *,
        most_bytes: int,
        refuses: bool,
    ) -> None:
        self._questions = questions
        self._settling = settling
        self._money = money
        self._client = client
        self._requests = requests
        self._most_bytes = most_bytes
        self._refuses = refuses

    def write(self, batch_id: str, file: BinaryIO, *, most_tokens: float, check: Callable[[], None]) -> tuple[int, int]:
        """Write the questions of a batch into a file; those that have no room there wait for another batch.

        Parameters:
          batch_id: Of the batch.
          file: Open for writing.
          most_tokens: Estimate of the tokens of all requests at most, answers not counted.
          check: Called before each page.

        Returns:
          How many requests it holds, and how many tokens they send.

        Raises:
          Deferred: The database or the object store is away.
        """
        number, tokens, after, is_full = 0, 0, "", False
        spent: set[str | None] = set()
        while page := self._questions.of_batch(batch_id, after=after):
            check()
            after, left = page[-1].id, _Page()
            waiters = self._questions.first_waiters([question.key for question in page])
            for question in page:
                if is_full:
                    left.full.append(question.key)
                    continue
                found = self._line(question, waiters.get(question.key), spent, left)
                if found is None:
                    continue
                line, of_line = found
                if file.tell() + len(line) > self._most_bytes or (number and tokens + of_line > most_tokens):
                    is_full = True
                    left.full.append(question.key)
                    left.unused.append(question.id)
                    continue
                file.write(line)
                number, tokens = number + 1, tokens + of_line
            self._leave(left)
            if None in spent:
                is_full = True
        return number, tokens

    def _line(
        self, question: BatchQuestion, waiter: Waiter | None, spent: set[str | None], left: _Page
    ) -> tuple[bytes, int] | None:
        """Return the line of a question and its tokens; None where it is not asked now, which is noted."""
        if waiter is None or not self._requests.is_asked_so_now(question):
            left.ends[question.key] = None
            left.unused.append(question.id)
            return None
        if None in spent or waiter.user_id in spent or self._questions.is_asked_elsewhere(question.key):
            left.back.append(question.key)
            left.unused.append(question.id)
            return None
        try:
            asked = self._client.in_batches.fit(self._requests.request(question))
        except (Permanent, Transient):  # the message by itself meets the same, and says it
            left.ends[question.key] = Why.NOT_ASKED
            left.unused.append(question.id)
            return None
        tokens = input_tokens(asked.body["messages"])
        refusal = self._money.reserve(
            question.id, question.model, input_tokens=tokens, most_tokens=asked.cap, user_id=waiter.user_id
        )
        if refusal is None:
            return request_line(question.id, asked.body), tokens
        if self._refuses and refusal != "price":
            left.ends[question.key] = Why.BUDGET_SPENT
        else:
            spent.add(waiter.user_id if refusal == "user" else None)
            left.back.append(question.key)
        return None

    def _leave(self, left: _Page) -> None:
        # Their money last: a process that dies in between leaves too much reserved, and nothing asked without.
        self._settling.settle(left.ends)
        self._questions.take_back(left.back, behind=True)
        self._questions.take_back(left.full)
        self._money.release(left.unused)
