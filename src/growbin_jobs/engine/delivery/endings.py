"""How the end of a run is written down."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.records import COMPLETED, Dead, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.delivery.runs import counted
from growbin_jobs.engine.foreign_errors import places
from growbin_jobs.engine.text import well_formed

#: Characters of a result that are kept; a larger one is for the central database or the object store.
RESULT_LENGTH = 65_536

#: Milliseconds since 1970 of the last moment that all databases know: the end of the year 9999.
LATEST = 253_402_300_799_000


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Why a message was given up.

    Attributes:
      code, params: A reason of :mod:`growbin_jobs.reasons`.
      error: The last error in words that may be stored.
      exception: Its traceback is kept, without its text.
    """

    code: str
    params: Mapping[str, str | int | float]
    error: str
    exception: BaseException | None = None


def ending(
    delivery: Delivery,
    state: TaskState,
    *,
    worker: str,
    started_at: float,
    result: Any = None,
    error: str | None = None,
    outbox: tuple[OutboxMessage, ...] = (),
    given_up: GivenUp | None = None,
    deferred: bool = False,
) -> Finish:
    """Return the record of a run's end.

    Parameters:
      delivery: What ran.
      state: ``completed``, ``failed`` or ``dead``.
      worker: Where, as rows show it.
      started_at: Seconds since 1970, UTC.
      result: What the actor returned.
      error: In words that may be stored.
      outbox: What it has sent, or its retry.
      given_up: With ``dead``.
      deferred: With ``failed``: it was put off.
    """
    now = time.time()
    options = delivery.options
    return Finish(
        task_id=delivery.message_id,
        task_name=delivery.actor_name,
        queue_name=delivery.queue_name,
        payload=delivery.body.decode("utf-8", "replace"),
        state=state,
        worker=worker,
        started_at=started_at,
        completed_at=now,
        created_at=created_at(delivery),
        error=error,
        result=delivery.kept_result if delivery.kept_result is not None else _as_json(result),
        retry_count=counted(options, "retries") if options else 0,
        deferrals=counted(options, "deferrals") if options else 0,
        outbox=outbox,
        dead=None if given_up is None else _dead(delivery, given_up, now),
        deferred=deferred,
        due_at=_retry_due_at(delivery, outbox) if outbox else None,
        delivery_tag=getattr(delivery, "tag", None),
    )


_new_finish = Finish.__new__


def completion(
    delivery: Delivery, *, worker: str, started_at: float, result: Any = None, outbox: tuple[OutboxMessage, ...] = ()
) -> Finish:
    """Return what :func:`ending` returns for a run that came to a good end, as nearly all do.

    The record is filled in and not constructed: to pass eighteen arguments by name takes six times as long.

    Parameters:
      delivery, worker, started_at, result, outbox: As there.
    """
    options = delivery.options
    record = _new_finish(Finish)
    record.task_id = delivery.message_id
    record.task_name = delivery.actor_name
    record.queue_name = delivery.queue_name
    record.payload = delivery.body.decode("utf-8", "replace")
    record.state = COMPLETED
    record.worker = worker
    record.started_at = started_at
    record.completed_at = time.time()
    record.created_at = created_at(delivery)
    record.error = record.dead = None
    record.result = delivery.kept_result if delivery.kept_result is not None else _as_json(result)
    record.retry_count = counted(options, "retries") if options else 0
    record.deferrals = counted(options, "deferrals") if options else 0
    record.outbox = outbox
    record.deferred = False
    record.due_at = _retry_due_at(delivery, outbox) if outbox else None
    record.delivery_tag = getattr(delivery, "tag", None)
    return record


def created_at(delivery: Delivery) -> float | None:
    """Return when a message was made; None where somebody has put anything there."""
    timestamp = delivery.message_timestamp
    return timestamp / 1000 if 0 <= timestamp <= LATEST else None


def _retry_due_at(delivery: Delivery, outbox: tuple[OutboxMessage, ...]) -> float | None:
    for each in outbox:
        if each.message_id == delivery.message_id:
            return each.due_at
    return None


def _dead(delivery: Delivery, given_up: GivenUp, now: float) -> Dead:
    return Dead(
        body=delivery.body,
        code=given_up.code,
        params=json.dumps(dict(given_up.params), ensure_ascii=False),
        error=given_up.error,
        traceback=places(given_up.exception),
        died_at=now,
    )


def _as_json(result: Any) -> str | None:
    if result is None:
        return None
    try:
        text = well_formed(json.dumps(result, ensure_ascii=False))
    except Exception:  # an actor may return what it likes to who calls it directly
        return None
    return text if len(text) <= RESULT_LENGTH else None
