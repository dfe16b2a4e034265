"""Answers that were paid for more than once, as far as the ledger of requests (``llm_usage``) tells.

A row has the digest of its question: model, prompt and picture or text. So the same picture in two analyses is the same
question. Rows without one (of a version before, or of a request that no store of answers knows) count by their
analysis, or their message: each asks each model one question for each purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.usage import BATCH

_QUESTION: Final = "coalesce(question, analysis_id, message_id)"
_KEY: Final = f"{_QUESTION}, purpose, model"
_PAID: Final = "sent_at >= ? AND sent_at < ? AND outcome = 'answered' AND billed = 'yes'"
_COUNTS: Final = """SELECT
    coalesce(sum(CASE WHEN outcome = 'answered' AND billed = 'yes' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN outcome <> 'answered' AND billed = 'yes' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN billed = 'unknown' THEN 1 ELSE 0 END), 0),
    coalesce(sum(CASE WHEN outcome = 'answered' AND billed = 'yes'
        AND question IS NULL AND analysis_id IS NULL AND message_id IS NULL THEN 1 ELSE 0 END), 0)
    FROM llm_usage WHERE sent_at >= ? AND sent_at < ?"""
_TWICE: Final = f"SELECT {_QUESTION} FROM llm_usage WHERE {_PAID} GROUP BY {_KEY} HAVING count(*) > 1"  # noqa: S608
#: How long a batch may have a question of which nobody knows any more when it was done.
_IN_A_BATCH: Final = timedelta(days=2)

#: When the batch of a request was done, in seconds since 1970; NULL: it is not, or nobody knows any more.
_ENDED: Final = """(SELECT b.ended_at FROM model_batch_question q JOIN model_batch b ON b.id = q.batch_id
    WHERE q.id = llm_usage.id)"""
_SUSPECTS: Final = f"""SELECT {_KEY}, sent_at, coalesce(analysis_id, message_id, ''), tier_asked, {_ENDED}
    FROM llm_usage WHERE {_PAID} AND {_QUESTION} IN ({_TWICE}) ORDER BY 1, 2, 3, 4"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Double:
    """An answer that was paid for again while the first one was still kept.

    Attributes:
      question: Its digest; of rows without one, the analysis or the message.
      first, second: The analyses (or messages) that paid; empty: not known.
    """

    question: str
    purpose: str
    model: str
    at: datetime
    after: timedelta
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidAnswers:
    """What was paid for.

    Attributes:
      answers: Requests that were answered and billed.
      without_answer: Billed, and the answer could not be used.
      unknown: Nobody knows whether they were billed.
      nameless: Of the answers, those that belong to no analysis and no message.
      again: Of the answers, those that were asked for again after their time.
      beside_a_batch: Of the answers, those that were asked for at once while a batch at the server had the question.
      doubles: Those that were paid for again within their time.
    """

    answers: int
    without_answer: int
    unknown: int
    nameless: int
    again: int
    beside_a_batch: int
    doubles: list[Double]


def paid_answers(database: Database, since: datetime, until: datetime, *, lifetime: timedelta) -> PaidAnswers:
    """Look for answers that were paid for twice.

    Parameters:
      since, until: When the requests were sent.
      lifetime: How long an answer is kept.

    Raises:
      Deferred: The database is away.
    """
    sql, field = SqlWords(database.dialect), UtcField()
    # One that was kept when the span began counts too, as the first of two.
    oldest, begin, end = field.db_value(since - lifetime), field.db_value(since), field.db_value(until)
    [counts] = database.run(lambda connection: sql.rows(connection, _COUNTS, begin, end))
    # Nearly always none, and then the requests need not be read again.
    has_some = database.run(lambda connection: sql.rows(connection, f"{_TWICE} LIMIT 1", oldest, end))
    rows = has_some and database.run(lambda connection: sql.rows(connection, _SUSPECTS, oldest, end, oldest, end))
    doubles: list[Double] = []
    again, beside, last = 0, 0, dict[tuple[str, str, str], tuple[datetime, str, bool]]()
    for question, purpose, model, sent, whose, tier, ended in rows:
        at: Any = field.python_value(sent)
        key = (str(question), str(purpose), str(model))
        if key in last and at >= since:
            before, payer, waited_for = last[key]
            if tier != BATCH and (at < before or (waited_for and at - before < _IN_A_BATCH)):
                beside += 1  # who is at a screen does not wait for a day; a batch cannot take one question back
            elif at - before < lifetime:
                doubles.append(Double(*key, at, at - before, payer, str(whose)))
            else:
                again += 1
        # The answer of a batch is there when that is done.
        there = datetime.fromtimestamp(ended, UTC) if tier == BATCH and ended is not None else at
        last[key] = (there, str(whose), tier == BATCH and ended is None)
    answers, without_answer, unknown, nameless = map(int, counts)
    return PaidAnswers(
        answers=answers, without_answer=without_answer, unknown=unknown, nameless=nameless, again=again,
        beside_a_batch=beside, doubles=doubles,
    )  # fmt: skip
