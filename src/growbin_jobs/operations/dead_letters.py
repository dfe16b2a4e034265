"""Operations on dead letters: list, show, retry, discard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from growbin_jobs.engine.central.dead_letter_rows import Action, CentralDeadLetter
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.delivery.records import DeadLetterRecord
from growbin_jobs.engine.delivery.reruns import rerun
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters
from growbin_jobs.errors import NotFound
from growbin_jobs.operations.journal_files import reading
from growbin_jobs.reasons import REASONS, Language, reason

#: What one call deals with at most.
MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters; None: all.

    Attributes:
      queue, actor, code: Of this queue, of this actor, with this reason only.
      since: That died at this time or later; seconds since 1970, UTC.
    """

    queue: str | None = None
    actor: str | None = None
    code: str | None = None
    since: float | None = None

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.queue, self.actor, self.code, self.since))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMessage:
    """A dead letter as a person sees it.

    Attributes:
      id: Its number in the journal of its node.
      params: Values of the sentence's placeholders.
      error, traceback: Of the last run; no values of variables.
      reason: Why it was given up, as a sentence.
      message: The message, decoded; its text where it is no JSON.
    """

    id: int
    task_id: str
    actor: str
    queue: str
    code: str
    params: dict[str, Any]
    error: str
    traceback: str
    died_at: float
    retried_at: float | None
    discarded_at: float | None
    reason: str
    message: Any

    @property
    def is_open(self) -> bool:
        """True while nobody has retried or discarded it."""
        return self.retried_at is None and self.discarded_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadOfNode(DeadMessage):
    """A dead letter of any node. Lists leave its message in the database (None).

    Attributes:
      node: Whose journal has it under this number.
    """

    node: str


@dataclass(frozen=True, slots=True)
class NotDone:
    """A dead letter that could not be dealt with, by number, and why."""

    id: int
    problem: str


@dataclass(frozen=True, slots=True)
class DealtWith:
    """How many dead letters were retried or discarded, and which were not."""

    done: int
    not_done: list[NotDone]


def find(
    file: Path, selection: Selection, *, language: Language, dealt_with: bool = False, limit: int = MOST
) -> list[DeadMessage]:
    """Return the dead letters of a journal, newest first.

    Parameters:
      language: Of the reasons.
      dealt_with: Also those that were retried or discarded.
      limit: At most so many.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`growbin_jobs.operations.journal_files.check_readable`.
    """
    with reading(file) as connection:
        letters = dead_letters.find(
            connection,
            queue=selection.queue,
            actor=selection.actor,
            code=selection.code,
            since=selection.since,
            dealt_with=dealt_with,
            limit=limit,
        )
    return [_shown(letter, language) for letter in letters]


def get(file: Path, number: int, *, language: Language) -> DeadMessage:
    """Return one dead letter.

    Raises:
      NotFound: If there is none of that number, or no journal.
      JournalDamaged, GrowbinError: If the journal cannot be read.
    """
    with reading(file) as connection:
        return _shown(dead_letters.get(connection, number), language)


def get_all(file: Path, numbers: Iterable[int], *, language: Language) -> list[DeadMessage]:
    """Return the dead letters of these numbers, each once.

    Raises:
      NotFound, JournalDamaged, GrowbinError: As :func:`get`.
    """
    with reading(file) as connection:
        return [_shown(dead_letters.get(connection, number), language) for number in dict.fromkeys(numbers)]


def of_all_nodes(
    letters: DeadLetters, selection: Selection, *, language: Language, dealt_with: bool = False, limit: int = MOST
) -> list[DeadOfNode]:
    """Return the dead letters of all nodes without their messages, newest first, from the central database.

    Parameters:
      language: Of the reasons.
      dealt_with: Also those about which somebody has decided.
      limit: At most so many.

    Raises:
      Deferred: If it is away.
    """
    found = letters.list(
        queue=selection.queue,
        actor=selection.actor,
        code=selection.code,
        since=None if selection.since is None else datetime.fromtimestamp(selection.since, UTC),
        dealt_with=dealt_with,
        limit=limit,
    )
    return [_of_node(letter, language) for letter in found]


def get_of_any_node(letters: DeadLetters, task_id: str, *, language: Language) -> DeadOfNode:
    """Return the newest dead letter of a task, with its message, from the central database.

    Raises:
      NotFound: There is none.
      Deferred: It is away.
    """
    of_task = letters.of_task(storable(task_id))
    if not of_task:
        raise NotFound(f"There is no dead letter of a task {task_id} in the central database.")
    return _of_node(letters.get(of_task[-1].id), language)


def retry(journal: Journal, numbers: Sequence[int]) -> DealtWith:
    """Put messages into the outbox once more, with their retries counted anew. They keep their ids.

    Parameters:
      numbers: Of the dead letters.
    """

    def again(number: int) -> None:
        body = _body_to_send(journal.read(lambda connection: dead_letters.get(connection, number)))
        journal.write(
            lambda connection: dead_letters.retry(connection, number, body=body, now=time.time()), durable=True
        )

    return _each(numbers, again)


def discard(journal: Journal, numbers: Sequence[int]) -> DealtWith:
    """Note that messages stay given up: they are listed no more, and pruned in time.

    Parameters:
      numbers: Of the dead letters.
    """
    return _each(
        numbers,
        lambda number: journal.write(lambda connection: dead_letters.discard(connection, number, now=time.time())),
    )


def _each(numbers: Sequence[int], deal: Callable[[int], object]) -> DealtWith:
    not_done = []
    for number in numbers:
        try:
            deal(number)
        except NotFound as error:
            not_done.append(NotDone(number, str(error)))
    return DealtWith(len(numbers) - len(not_done), not_done)


def _body_to_send(letter: DeadLetterRecord) -> bytes:
    try:
        return rerun(letter.body)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotFound(f"Dead letter {letter.id} holds no message that could be sent. Discard it.") from None


def _why(code: str, params: str, error: str, language: Language) -> tuple[dict[str, Any], str]:
    """Return the values of a reason and its sentence; the error for a reason of a newer version."""
    decoded = _decoded(params, {})
    values = decoded if isinstance(decoded, dict) else {}
    return values, reason(code, language, values) if code in REASONS else error


def _of_node(letter: CentralDeadLetter, language: Language) -> DeadOfNode:
    params, why = _why(letter.code, letter.params, letter.error, language)
    decided = {letter.taken_to: letter.taken_at} if letter.taken_at is not None else {}
    retried = letter.retried_at or decided.get(Action.RETRY)
    discarded = letter.discarded_at or decided.get(Action.DISCARD)
    return DeadOfNode(
        node=letter.node,
        id=letter.letter,
        task_id=letter.task_id,
        actor=letter.task_name,
        queue=letter.queue_name,
        code=letter.code,
        params=params,
        error=letter.error,
        traceback=letter.traceback,
        died_at=letter.died_at.timestamp(),
        retried_at=None if retried is None else retried.timestamp(),
        discarded_at=None if discarded is None else discarded.timestamp(),
        reason=why,
        message=_decoded(letter.body, letter.body.decode(errors="backslashreplace")) if letter.body else None,
    )


def _shown(letter: DeadLetterRecord, language: Language) -> DeadMessage:
    params, why = _why(letter.code, letter.params, letter.error, language)
    return DeadMessage(
        id=letter.id,
        task_id=letter.task_id,
        actor=letter.actor,
        queue=letter.queue,
        code=letter.code,
        params=params,
        error=letter.error,
        traceback=letter.traceback,
        died_at=letter.died_at,
        retried_at=letter.retried_at,
        discarded_at=letter.discarded_at,
        reason=why,
        message=_decoded(letter.body, letter.body.decode(errors="backslashreplace")),
    )


def _decoded(text: str | bytes, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # not JSON, or not UTF-8
        return otherwise
