"""Puts together what the two jobs of batches use, from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.adapters.llm.batches import MOST_BYTES
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.ai.batch_ending import EndBatches
from growbin_jobs.ai.batch_input_file import InputFile
from growbin_jobs.ai.batch_looking_after import LookAfterBatches
from growbin_jobs.ai.batch_making import MakeBatches
from growbin_jobs.ai.batch_reading import ReadResults
from growbin_jobs.ai.batch_requests import BatchRequests
from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.batch_money import batch_money
from growbin_jobs.models.answers import SharedAnswers
from growbin_jobs.models.batch_life import Sizes
from growbin_jobs.models.batch_questions import BatchQuestions
from growbin_jobs.models.batch_settling import BatchSettling
from growbin_jobs.models.batch_waiting import BatchWaiting
from growbin_jobs.models.batches import LEASE, Batches
from growbin_jobs.settings import Settings

#: Seconds that an answer of a batch is kept at least: until its messages have come back, whatever they meet.
_KEPT: Final = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class BatchWork:
    """What the jobs of batches use."""

    making: MakeBatches
    looking_after: LookAfterBatches


def batch_work(
    settings: Settings,
    database: Database,
    client: ModelClient,
    requests: BatchRequests,
    *,
    told: Callable[[Mapping[str, Any]], None] = lambda _: None,
    lease: float = LEASE,
) -> BatchWork:
    """Return what makes batches and looks after them.

    Parameters:
      settings: Sizes, pauses and budgets.
      database: The central one.
      client: Whom to ask; nothing guards its requests.
      requests: What is asked.
      told: Called with each row of ``llm_usage``.
      lease: Seconds that a batch is worked on by one process alone.
    """
    made, questions, settling = Batches(database, lease=lease), BatchQuestions(database), BatchSettling(database)
    money = batch_money(settings, database, told=told)
    ending = EndBatches(made, questions, settling, money, lambda: client.in_batches.server)
    file = InputFile(
        questions, settling, money, client, requests, most_bytes=MOST_BYTES, refuses=settings.budget_spent == "refuse"
    )
    sizes, folder = Sizes.of(settings), settings.node_dir / "batches"
    answers = SharedAnswers(database, ttl=max(settings.answer_ttl, _KEPT))
    reading = ReadResults(made, questions, settling, money, client, requests, answers)
    waiting = BatchWaiting(database)
    return BatchWork(
        MakeBatches(made, questions, waiting, settling, client, file, ending, sizes=sizes, folder=folder),
        LookAfterBatches(made, client, reading, ending, first_look=settings.batch_poll),
    )
