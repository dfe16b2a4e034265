"""The two brokers as the fuzz test sees them: engine, raw bytes, and what is left in the queues."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pika
from dramatiq.common import current_millis

from fuzz.oddities import LONG_AGO, Odd
from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.broker.port import DeadLetter

#: What the worker consumes.
QUEUES = ("odd", "follow", "meeting")

#: States of messages that will not run again.
ENDED = frozenset({"completed", "dead"})


class State(NamedTuple):
    """What the journal says of a message.

    Attributes:
      state: ``completed``, ``dead`` and others; ``unknown``: nothing.
      due_at: When it runs again.
      code: Why it is a dead letter.
    """

    state: str = "unknown"
    due_at: float | None = None
    code: str | None = None


#: What messages are called that were sent without an id: each gets one from who receives it.
NAMELESS = "without an id: "


def nameless(number: int) -> str:
    """Return what a message is called that was sent without an id."""
    return f"{NAMELESS}{number}"


def _number(payload: str) -> int | None:
    try:
        number = json.loads(payload)["args"][0]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return number if type(number) is int else None


class Site:
    """A data folder with a broker.

    Parameters:
      folder: Empty.
      broker_url: Of RabbitMQ; None: the embedded broker.
    """

    def __init__(self, folder: Path, broker_url: str | None) -> None:
        self.folder = folder
        self.broker_url = broker_url
        self.engine = Engine(
            EngineConfig(data_dir=folder, node="fuzz", broker_url=broker_url, journal_free_floor=10_000_000)
        )

    def close(self) -> None:
        """Close the broker's connections, which would else try to connect for as long as the process lives."""
        self.engine.broker.close()

    @property
    def env(self) -> dict[str, str]:
        """Variables of the worker."""
        env = {
            "FUZZ_DATA_DIR": str(self.folder), "FUZZ_NODE": "fuzz", "FUZZ_JOURNAL_FREE_FLOOR": "10000000",
            "FUZZ_RELAY_AFTER": "5",
        }  # fmt: skip
        return env | ({"FUZZ_BROKER_URL": self.broker_url} if self.broker_url else {})

    @contextmanager
    def raw(self) -> Iterator[Any]:
        """Return a function that puts an odd message's bytes into the queue, as another producer would."""
        if self.broker_url is None:
            yield self._put
            return
        connection = pika.BlockingConnection(pika.URLParameters(self.broker_url))
        channel = connection.channel()

        def publish(odd: Odd) -> None:
            channel.basic_publish("", "odd", odd.body, pika.BasicProperties(**odd.properties))

        yield publish
        connection.close()

    def _put(self, odd: Odd) -> None:
        message_id, now = uuid.uuid4().hex, current_millis()
        self.engine.broker._hold().write(
            lambda queue: queue.put("odd", message_id, odd.body, priority=0, due=now, now=now), durable=True
        )

    def states(self) -> dict[str, State]:
        """Return what the journal says of each message by its id, and of those put in as bytes by their number, too."""

        def read(connection: apsw.Connection) -> dict[str, State]:
            # Joined here: dead letters have no index by message, and each row would look through them all.
            codes = dict(connection.execute("SELECT task_id, code FROM dead_letter ORDER BY id"))
            rows = connection.execute(
                "SELECT task_id, status, due_at, CASE WHEN instr(payload, ?) THEN payload END FROM task_wal",
                (str(LONG_AGO),),
            )
            found = {}
            for task_id, status, due_at, payload in rows:
                found[task_id] = State(status, due_at, codes.get(task_id))
                if payload is not None and (number := _number(payload)) is not None:
                    found[nameless(number)] = found[task_id]
            return found

        return self.engine.journal.read(read)

    def dead_letters(self) -> list[DeadLetter]:
        """Return what is among the broker's dead letters."""
        return [each for name in QUEUES for each in self.engine.broker.dead_letters(name, limit=10**6)]

    def left(self) -> dict[str, int]:
        """Return how many messages each of the worker's queues still has to deliver now."""
        if self.broker_url is None:
            depths = self.engine.broker.depths()
            return {name: depth.ready + depth.claimed for name, depth in depths.items() if name in QUEUES}
        return {name: self._passive(name) for name in QUEUES}

    def delayed(self) -> int:
        """Return how many messages wait for their time in the embedded broker, or at least in RabbitMQ's levels."""
        if self.broker_url is None:
            return sum(depth.delayed for depth in self.engine.broker.depths().values())
        return sum(self._passive(f"growbin.delay.v1.{level:02}") for level in range(32))

    def _passive(self, queue: str) -> int:
        connection = pika.BlockingConnection(pika.URLParameters(self.broker_url))
        try:
            return int(connection.channel().queue_declare(queue, passive=True).method.message_count)
        except pika.exceptions.ChannelClosedByBroker:
            return 0
        finally:
            connection.close()
