"""Reads the dead letter queues (``….XQ``) of RabbitMQ, and leaves what is in them.

A message is read by taking it and giving it back: RabbitMQ puts it back in its place. Each time
counts as a delivery, and RabbitMQ 4 drops a message of a quorum queue after twenty by default. So one that was taken
:data:`MOST_DELIVERIES` times is stored anew, at the end of the queue, before the old copy is removed.
"""

from __future__ import annotations

import copy
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from dramatiq.common import xq_name
from pika.spec import BasicProperties

from growbin_jobs.engine.broker.port import DeadLetter
from growbin_jobs.engine.broker.rabbitmq.admin_channel import AdminChannel, Got

#: Deliveries of one stored copy; RabbitMQ 4 allows 20.
MOST_DELIVERIES = 10

#: Seconds to wait until a queue shows what was put back; a person may have emptied it meanwhile.
PUT_BACK_PATIENCE = 2.0

#: Messages of one queue that are looked at: its newest are at the end, and the way there is through all others.
MOST_READ = 20_000

#: Header of a dead letter that a keeper has recorded in its journal.
NOTED = "growbin-noted"

_NEVER = datetime.min.replace(tzinfo=UTC)

#: Headers of RabbitMQ about earlier deliveries of a copy, which a new copy must not begin with.
_OF_A_COPY = ("x-delivery-count", "x-acquired-count")


def read(channel: AdminChannel, queues: Iterable[str], limit: int) -> list[DeadLetter]:
    """Return dead letters, newest first.

    Parameters:
      queues: Canonical names.
      limit: At most so many in all.
    """
    letters: list[DeadLetter] = []
    for queue in queues:
        letters += deque((_letter(queue, place, got) for place, got in enumerate(walk(channel, queue))), limit)
    letters.sort(key=lambda letter: (letter.died_at or _NEVER, letter.seq), reverse=True)
    return letters[:limit]


def note_unrecorded(
    channel: AdminChannel, queue: str, note: Callable[[DeadLetter], bool], is_candidate: Callable[[DeadLetter], bool]
) -> int:
    """Show each dead letter of a queue that bears no mark to a function, and mark it then; return how many were new.

    While it is shown it is taken, so that no other node sees it. The mark is a header of a new copy: a crash between
    the note and the mark lets this node or another one note it once more.
    """
    noted = 0
    for place, got in enumerate(walk(channel, queue)):
        if NOTED not in headers_of(got) and is_candidate(letter := _letter(queue, place, got)):
            noted += note(letter)
            replace(channel, queue, got, {NOTED: True})
    return noted


def forget(channel: AdminChannel, queue: str, belongs: Callable[[bytes], bool]) -> int:
    """Remove those dead letters of a queue whose bodies a function picks; return how many."""
    removed = 0
    for got in walk(channel, queue):
        if belongs(got.body):
            channel.ack(got)
            removed += 1
    return removed


def walk(channel: AdminChannel, queue: str) -> Iterator[Got]:
    """Take what is in a queue's dead letter queue, one after the other, oldest first, and put it back at the end.

    Whoever gets one may remove or replace it. What has been delivered too often is stored anew.
    """
    name = xq_name(queue)
    count = channel.count(name) or 0
    removed = 0
    try:
        for _ in range(min(count, MOST_READ)):
            got = channel.get(name)
            if got is None:  # somebody else has taken some
                break
            yield got
            if deliveries(got) >= MOST_DELIVERIES and not got.settled:
                replace(channel, queue, got, {})
            removed += got.settled and not got.replaced
        if count:
            _put_back(channel, name, count - removed)
    finally:
        channel.close()


def _put_back(channel: AdminChannel, name: str, count: int) -> None:
    """Put back what was taken, and wait until the queue shows it: the next reader must find it there."""
    channel.put_back()
    end = time.monotonic() + PUT_BACK_PATIENCE
    while (channel.count(name) or 0) < count and time.monotonic() < end:
        time.sleep(0.01)


def replace(channel: AdminChannel, queue: str, got: Got, headers: dict[str, Any]) -> None:
    """Store a copy of a dead letter with more headers at the end of its queue, then remove the old one.

    A crash in between leaves both copies.
    """
    properties = copy.copy(got.properties)
    kept = {name: value for name, value in headers_of(got).items() if name not in _OF_A_COPY}
    properties.headers = kept | headers
    properties.delivery_mode = 2
    channel.publish(xq_name(queue), got.body, properties)
    channel.ack(got)
    got.replaced = True


def deliveries(got: Got) -> int:
    """Return how often a quorum queue has delivered this copy before; 0 where it does not say."""
    count = headers_of(got).get("x-delivery-count", 0)
    return count if isinstance(count, int) else 0


def headers_of(got: Got) -> dict[str, Any]:
    """Return a message's headers."""
    return got.properties.headers or {}


def last_death(properties: BasicProperties) -> dict[str, Any]:
    """Return what RabbitMQ says about the last time that it dead-lettered a message; empty if it did not."""
    deaths = (properties.headers or {}).get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else None
    return first if isinstance(first, dict) else {}


def died_at(properties: BasicProperties) -> datetime | None:
    """Return when RabbitMQ dead-lettered a message, UTC; None where it does not say."""
    died = last_death(properties).get("time")
    return died if isinstance(died, datetime) else None


def _letter(queue: str, place: int, got: Got) -> DeadLetter:
    return DeadLetter(
        seq=place,
        message_id=got.properties.message_id or "",
        queue=queue,
        priority=got.properties.priority or 0,
        deliveries=deliveries(got),
        reason=str(last_death(got.properties).get("reason", "")),
        body=got.body,
        died_at=died_at(got.properties),
    )
