"""How a message that goes back to its queue comes again: at once, or as a copy that counts one more and comes later."""

from __future__ import annotations

import time

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import pause_after
from growbin_jobs.engine.delivery.codec import encode
from growbin_jobs.engine.delivery.delivery import Delivery
from growbin_jobs.engine.delivery.disposition import Disposition
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.delivery.runs import counted

#: Seconds until a message that went back is delivered again: first, and at most; doubled each time.
FIRST_DELAY, LAST_DELAY = 1.0, 300.0

#: So often a message may go back because nothing could be decided about it.
MOST_RETURNS = 5


def returned_too_often(delivery: Delivery) -> bool:
    """Return whether a delivery that goes back has done so :data:`MOST_RETURNS` times, where that is limited."""
    returned = delivery.returned
    assert returned is not None
    return returned.counted and returned.limited and counted(delivery.options, "requeues") >= MOST_RETURNS


def way_back(delivery: Delivery) -> tuple[tuple[OutboxMessage, ...], Disposition]:
    """Return what is published for a delivery that goes back, and what becomes of it then.

    A copy counts one more and comes later, and the delivery is acknowledged: brokers do not count.
    """
    returned = delivery.returned
    assert returned is not None
    if returned.after:
        return (_copy(delivery, delivery.body, returned.after),), Disposition.ACK
    count = counted(delivery.options, "requeues") + 1
    delay = pause_after(count - 1, FIRST_DELAY, LAST_DELAY, (1.0, 1.25)) if returned.counted else 0.0
    events.REQUEUED.emit(delivery, count=count, in_ms=int(delay * 1000), reason=returned.reason)
    if not returned.counted:
        return (), Disposition.REQUEUE
    body = encode(delivery._message.copy(options={"requeues": count}))
    return (_copy(delivery, body, delay),), Disposition.ACK


def _copy(delivery: Delivery, body: bytes, delay: float) -> OutboxMessage:
    return OutboxMessage(
        message_id=delivery.message_id, task_name=delivery.actor_name, queue_name=delivery.queue_name, body=body,
        parent_id=delivery.message_id, due_at=time.time() + delay,
    )  # fmt: skip
