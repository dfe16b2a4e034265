"""Dead letters of all nodes for one request: pages that stay in place, reasons as sentences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.dead_letter_rows import CentralDeadLetter
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.search.cursors import Place, decoded
from growbin_jobs.engine.central.search.task_detail import SHOWN, Preview
from growbin_jobs.monitor.services import Services
from growbin_jobs.reasons import REASONS, Language, reason

_SORT: Final = "-died"

ROWS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterLine:
    """A dead letter; ``reason`` is the sentence of its code.

    Attributes:
      state: ``open``, ``decided`` (a person has decided, and nobody has done it yet), ``retried`` or ``discarded``.
      decided_by, decided_at: Who has decided, and when.
    """

    id: str
    node: str
    task_id: str
    actor: str
    queue: str
    code: str
    reason: str
    error: str
    died_at: datetime
    state: str
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterPage:
    """A page; ``next`` is the cursor of the one behind it; ``open_count`` ends at 100,000."""

    letters: list[LetterLine]
    next: str | None
    open_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterView:
    """A dead letter with what is long. ``message`` is None for those who may not see it."""

    letter: LetterLine
    traceback: str
    message: Preview | None


def letters_of(
    services: Services,
    language: Language,
    *,
    queue: str | None,
    actor: str | None,
    code: str | None,
    node: str | None,
    dealt_with: bool,
    cursor: str | None,
    limit: int = ROWS,
) -> LetterPage:
    """Return dead letters, the newest first.

    Raises:
      SearchError: The cursor is none.
      Deferred: The database is away.
    """
    table, below = DeadLetters(services.database), None
    if cursor:
        place = decoded(cursor, sort=_SORT)
        below = (datetime.fromisoformat(place.created_at), place.task_id)
    found = table.list(
        queue=queue, actor=actor, code=code, node=node, dealt_with=dealt_with, below=below, limit=limit + 1
    )
    lines = [line_of(letter, language) for letter in found[:limit]]
    last = lines[-1] if len(found) > limit else None
    following = Place(str(UtcField().db_value(last.died_at)), last.id, _SORT).encoded() if last else None
    return LetterPage(letters=lines, next=following, open_count=table.count_open())


def letter_of(services: Services, letter_id: str, language: Language, *, messages: bool) -> LetterView:
    """Return one dead letter.

    Raises:
      NotFound: There is none.
      Deferred: The database is away.
    """
    letter = DeadLetters(services.database).get(letter_id.replace("\0", "\ufffd"))
    text = letter.body.decode("utf-8", "backslashreplace")
    return LetterView(
        letter=line_of(letter, language),
        traceback=letter.traceback,
        message=Preview(text[:SHOWN], len(text)) if messages else None,
    )


def line_of(letter: CentralDeadLetter, language: Language) -> LetterLine:
    """Return a dead letter as a line."""
    return LetterLine(
        id=letter.id, node=letter.node, task_id=letter.task_id, actor=letter.task_name, queue=letter.queue_name,
        code=letter.code, reason=_sentence(letter, language), error=letter.error[:500], died_at=letter.died_at,
        state=_state(letter), decided_by=letter.taken_by, decided_at=letter.taken_at,
    )  # fmt: skip


def _state(letter: CentralDeadLetter) -> str:
    if letter.retried_at is not None:
        return "retried"
    if letter.discarded_at is not None:
        return "discarded"
    return "open" if letter.is_open else "decided"


def _sentence(letter: CentralDeadLetter, language: Language) -> str:
    try:
        params: Any = json.loads(letter.params)
    except (ValueError, RecursionError):
        params = {}
    if letter.code not in REASONS:
        return letter.error[:500]
    return reason(letter.code, language, params if isinstance(params, dict) else {})
