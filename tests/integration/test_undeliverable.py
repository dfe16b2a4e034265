"""A delayed message whose queue is deleted becomes a dead letter that is listed and retried like any other."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Message
from pika.adapters.blocking_connection import BlockingChannel
from tests import command_line

from growbin_jobs.engine.broker.errors import BrokerRefused, BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.delays import UNDELIVERABLE_QUEUE
from growbin_jobs.engine.broker.rabbitmq.undeliverable import collect
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.keeper.undeliverable import Undeliverable
from growbin_jobs.errors import Deferred

QUEUE = "short-lived"
PATIENCE = 30.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "n1" / "task_queue.db", node="n1", worker="keeper", free_floor=1)) as journal:
        yield journal


@pytest.fixture
def job(rabbitmq_url: str, journal: Journal) -> Undeliverable:
    return Undeliverable(journal, partial(collect, rabbitmq_url, "quorum"))


def lose(broker: RabbitBroker, channel: BlockingChannel, *words: str) -> list[str]:
    """Send delayed messages, delete their queue meanwhile, and wait until they are due; return their ids."""
    sent = [
        Message(queue_name=QUEUE, actor_name="a", args=(word,), kwargs={}, options={"retries": 2}) for word in words
    ]
    for message in sent:
        broker.enqueue(message, delay=2_000)
    channel.queue_delete(QUEUE)
    until_depth(channel, UNDELIVERABLE_QUEUE, len(words))
    return [message.message_id for message in sent]


def until_depth(channel: BlockingChannel, queue: str, depth: int) -> None:
    end = time.monotonic() + PATIENCE
    while channel.queue_declare(queue, passive=True).method.message_count != depth:
        assert time.monotonic() < end, f"{queue} does not come to hold {depth} messages"
        time.sleep(0.02)


def test_it_is_listed_and_comes_back_when_it_is_retried(broker, channel, job, journal, rabbitmq_url, tmp_path):
    # Given a message that was due for a queue that is gone
    [message_id] = lose(broker, channel, "hello")
    settings = {"DATA_DIR": str(tmp_path), "NODE": "n1", "BROKER_URL": rabbitmq_url}
    env = os.environ | {f"GROWBIN_{name}": value for name, value in settings.items()}

    def command(*arguments: str) -> list[Any]:
        done = command_line.run(*arguments, "--json", env=env, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    # When the keeper looks
    assert job.run_once() == {"collected": 1}
    # Then it is a dead letter like those that a worker gives up
    [letter] = command("dead", "list")
    assert (letter["task_id"], letter["queue"], letter["code"]) == (message_id, QUEUE, "queue_missing")
    until_depth(channel, UNDELIVERABLE_QUEUE, 0)
    until_depth(channel, f"{QUEUE}.XQ", 1)
    # And a retry declares its queue again and sends it
    assert command("dead", "retry", str(letter["id"])) == [{"retried": 1, "failed": 0}]
    _, properties, body = channel.basic_get(QUEUE, auto_ack=True)
    sent = json.loads(body)
    assert (properties.message_id, sent["args"], sent["options"]["retries"]) == (message_id, ["hello"], 0)
    assert command("dead", "list") == []


def test_what_could_not_be_written_stays(broker, channel, rabbitmq_url, journal, job):
    ids = lose(broker, channel, "a", "b", "c")
    kept: list[str] = []

    def keep_one(end: Any) -> None:
        if kept:
            raise Deferred("the journal is away", wait=1.0)
        kept.append(end.task_id)

    with pytest.raises(Deferred):
        collect(rabbitmq_url, "quorum", "n1/keeper/1", keep_one)

    assert len(kept) == 1
    assert job.run_once() == {"collected": 2}
    letters = journal.read(lambda c: [row[0] for row in c.execute("SELECT task_id FROM dead_letter")])
    assert {*kept, *letters} == set(ids)


def test_one_that_is_kept_twice_is_one_dead_letter(broker, channel, rabbitmq_url, journal, job):
    class Killed(BaseException):
        pass

    def keep_and_die(end: Any) -> None:
        job._keep(end)
        raise Killed

    [message_id] = lose(broker, channel, "a")
    with pytest.raises(Killed):
        collect(rabbitmq_url, "quorum", "n1/keeper/1", keep_and_die)

    until_depth(channel, UNDELIVERABLE_QUEUE, 1)
    assert job.run_once() == {"collected": 1}
    assert journal.read(lambda c: c.execute("SELECT task_id FROM dead_letter").fetchall()) == [(message_id,)]


def test_what_is_no_message_of_ours_is_left_and_holds_nothing_up(broker, channel, job, caplog):
    lose(broker, channel, "a")
    channel.confirm_delivery()
    channel.basic_publish("", UNDELIVERABLE_QUEUE, b"not ours", mandatory=True)

    assert [job.run_once(), job.run_once()] == [{"collected": 1}, {}]

    assert channel.basic_get(UNDELIVERABLE_QUEUE)[2] == b"not ours"
    assert "undeliverable.not_ours" in caplog.text


def test_where_nobody_has_used_a_delay_there_is_nothing_to_do(rabbitmq_url, job):
    assert job.run_once() == {}


def test_a_server_that_is_away_or_refuses_is_said_so(rabbitmq_url, journal):
    with pytest.raises(BrokerUnavailable):
        collect("amqp://127.0.0.1:1/", "quorum", "w", pytest.fail)
    with pytest.raises((BrokerRefused, BrokerUnavailable)):
        collect(rabbitmq_url + "-no-such", "quorum", "w", pytest.fail)
