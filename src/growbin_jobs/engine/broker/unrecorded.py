"""Turns a broker's dead letter that no worker has recorded into the end of a task, for the journal.

A worker records each message that it gives up. It never hears of what RabbitMQ dead-letters by itself (a policy with a
message TTL, a length limit or a delivery limit), and bytes that are no message have no id to be recorded under.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from uuid import NAMESPACE_OID, uuid5

from growbin_jobs.engine.broker.port import DeadLetter
from growbin_jobs.engine.delivery.codec import Nameless, Undecodable, decode
from growbin_jobs.engine.delivery.records import Dead, Finish, TaskState
from growbin_jobs.engine.delivery.runs import counted

#: What RabbitMQ calls the death of a message that a consumer has rejected. Its worker has recorded why.
REJECTED = "rejected"

#: Bytes of what is no message that its row shows; the dead letter has all of it.
SHOWN = 65_536

#: Stands in rows where the actor's name of a message should be and there is none.
NO_ACTOR = "unknown"


def is_unrecorded(letter: DeadLetter) -> bool:
    """Return True if no worker can have recorded a dead letter."""
    return record_of(letter, "") is not None


def record_of(letter: DeadLetter, worker: str) -> Finish | None:
    """Return what the journal should say about a dead letter; None where a worker has recorded it.

    Parameters:
      letter: From :meth:`growbin_jobs.engine.broker.port.BrokerPort.dead_letters` or on the way to it.
      worker: This process's name in rows.
    """
    try:
        message = decode(letter.body, letter.queue)
    except Undecodable as error:
        task_id = _id_of(letter)
        # JSON, like the payload of any other task; PostgreSQL takes no zero bytes.
        shown = json.dumps(letter.body[:SHOWN].decode("utf-8", "replace").replace("\0", "\ufffd"))
        params = {"queue": letter.queue, "detail": str(error)}
        return _record(letter, worker, task_id, NO_ACTOR, "not_a_message", params, payload=shown)
    if letter.reason in ("", REJECTED):
        return None
    task_id = _id_of(letter) if isinstance(message, Nameless) else message.message_id
    return _record(
        letter, worker, task_id, message.actor_name, "broker_gave_up",
        {"queue": letter.queue, "why": letter.reason}, payload=letter.body.decode("utf-8", "replace"),
        created_at=message.message_timestamp / 1000, retries=counted(message.options, "retries"),
        deferrals=counted(message.options, "deferrals"),
    )  # fmt: skip


def _id_of(letter: DeadLetter) -> str:
    # The same bytes get the same id, so that whoever notes them twice makes one dead letter.
    return str(uuid5(NAMESPACE_OID, f"{letter.queue}/{letter.body.hex()}"))


def _record(
    letter: DeadLetter,
    worker: str,
    task_id: str,
    actor: str,
    code: str,
    params: Mapping[str, str],
    *,
    payload: str,
    created_at: float | None = None,
    retries: int = 0,
    deferrals: int = 0,
) -> Finish:
    now = time.time()
    died_at = now if letter.died_at is None else letter.died_at.timestamp()
    error = " ".join((code, *params.values()))
    return Finish(
        task_id=task_id,
        task_name=actor,
        queue_name=letter.queue,
        payload=payload,
        state=TaskState.DEAD,
        worker=worker,
        started_at=died_at,
        completed_at=now,
        created_at=created_at,
        error=error,
        retry_count=retries,
        deferrals=deferrals,
        dead=Dead(body=letter.body, code=code, params=json.dumps(params), error=error, traceback="", died_at=died_at),
    )
