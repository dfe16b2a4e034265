"""What the broker gave up by itself, and what is no message, is listed, retried and discarded like any dead letter."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from dramatiq import Message

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.delivery.records import DeadLetterRecord
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters
from growbin_jobs.engine.keeper.unrecorded import Unrecorded

QUEUE = "given_up"
PATIENCE = 30.0
GARBAGE = [b"\xff\x00", b"[]", b'{"queue_name": 5}']


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Callable[[str], Journal]]:
    opened = []

    def open_journal(node: str) -> Journal:
        opened.append(Journal(tmp_path / node / "task_queue.db", node=node, worker="keeper", free_floor=1))
        return opened[-1]

    yield open_journal
    for journal in opened:
        journal.close()


def keeper(journal: Journal, broker: Any) -> Unrecorded:
    return Unrecorded(journal, broker, lambda: {QUEUE}, 86_400.0)


def letters(journal: Journal, **which: Any) -> list[DeadLetterRecord]:
    return journal.read(lambda connection: dead_letters.find(connection, **which))


def until_dead(broker: Any, count: int) -> None:
    end = time.monotonic() + PATIENCE
    while broker.depths().get(QUEUE) is None or broker.depths()[QUEUE].dead != count:
        assert time.monotonic() < end, broker.depths()
        time.sleep(0.05)


def a_message(n: int) -> Message[Any]:
    return Message(queue_name=QUEUE, actor_name="act", args=(n,), kwargs={}, options={"retries": 1})


@pytest.fixture
def expired(broker: RabbitBroker, rabbitmq_url: str, rabbitmq_management: Callable[..., None]) -> list[str]:
    """Ids of messages that a policy has taken out of their queue."""
    broker.get_queue_message_counts(QUEUE)
    policy = f"/policies{urlsplit(rabbitmq_url).path}/short"
    expiring = {"pattern": f"^{QUEUE}$", "definition": {"message-ttl": 1}, "apply-to": "queues"}
    rabbitmq_management("PUT", policy, expiring)
    sent = [broker.enqueue(a_message(n)).message_id for n in range(3)]
    until_dead(broker, 3)
    rabbitmq_management("DELETE", policy)
    return sent


def test_what_a_policy_has_taken_out_is_recorded_by_one_node_once(broker, expired, journals, rabbitmq_url):
    one, other = journals("n1"), journals("n2")

    assert keeper(one, broker).run_once() == {"recorded": 3}

    found = letters(one)
    assert {letter.task_id for letter in found} == set(expired)
    assert {(letter.code, letter.actor, letter.queue) for letter in found} == {("broker_gave_up", "act", QUEUE)}
    assert all('"why": "expired"' in letter.params for letter in found)
    # And nobody records it again: neither this node, nor another one, nor a keeper that has just started
    with closing(RabbitBroker(url=rabbitmq_url, middleware=[])) as fresh:
        assert keeper(one, fresh).run_once() == keeper(other, fresh).run_once() == {}
    assert letters(other) == []
    # And the broker keeps its copies
    assert {letter.message_id for letter in broker.dead_letters(QUEUE)} == set(expired)


def test_what_a_person_has_dealt_with_does_not_come_back(broker, expired, journals):
    journal = journals("n1")
    keeper(journal, broker).run_once()
    first, second, _ = letters(journal)

    journal.write(lambda connection: dead_letters.discard(connection, first.id, now=time.time()))
    message = journal.write(lambda connection: dead_letters.retry(connection, second.id, now=time.time()))
    assert broker.forward([message]) == [None]

    broker._inspection._looked_through.clear()
    assert keeper(journal, broker).run_once() == {}
    assert len(letters(journal)) == 1
    consumer = broker.consume(QUEUE, timeout=int(PATIENCE * 1000))
    assert next(consumer).message_id == second.task_id
    consumer.close()


def test_a_crash_between_the_note_and_the_mark_loses_nothing_and_doubles_nothing(broker, expired, journals):
    class Killed(BaseException):
        pass

    journal = journals("n1")
    job = keeper(journal, broker)

    def note_and_die(letter: Any) -> bool:
        job._note(letter)
        raise Killed

    with pytest.raises(Killed):
        broker.note_unrecorded([QUEUE], note_and_die)
    until_dead(broker, 3)
    broker._inspection._looked_through.clear()

    assert job.run_once() == {"recorded": 2}
    assert len(letters(journal, dealt_with=True)) == 3


def test_a_worker_s_own_dead_letters_are_not_recorded_again(broker, journals):
    broker.enqueue(a_message(1))
    consumer = broker.consume(QUEUE, timeout=int(PATIENCE * 1000))
    consumer.nack(next(consumer))
    until_dead(broker, 1)
    consumer.close()

    assert keeper(journals("n1"), broker).run_once() == {}


def test_what_is_no_message_on_rabbitmq(broker, channel, journals):
    broker.get_queue_message_counts(QUEUE)
    for body in GARBAGE:
        channel.basic_publish("", QUEUE, body)
    consumer = broker.consume(QUEUE, prefetch=10, timeout=1000)
    assert next(consumer) is None
    until_dead(broker, len(GARBAGE))
    consumer.close()

    check_garbage(broker, journals("n1"))


def test_what_is_no_message_on_the_embedded_broker(tmp_path, journals):
    with closing(EmbeddedBroker(tmp_path / "broker.db", middleware=[])) as broker:
        broker.declare_queue(QUEUE)
        for n, body in enumerate(GARBAGE):
            broker._hold().write(lambda queue, n=n, body=body: queue.put(QUEUE, str(n), body, priority=0, due=0, now=1))
        consumer = broker.consume(QUEUE, prefetch=10, timeout=1000)
        assert next(consumer) is None
        until_dead(broker, len(GARBAGE))
        consumer.close()

        check_garbage(broker, journals("n1"))
        broker._noted = 0  # as after a restart
        assert keeper(journals("n1"), broker).run_once() == {}


def check_garbage(broker: Any, journal: Journal) -> None:
    assert keeper(journal, broker).run_once() == {"recorded": len(GARBAGE)}
    found = letters(journal)
    assert sorted(letter.body for letter in found) == sorted(GARBAGE)
    assert {(letter.code, letter.actor, letter.queue) for letter in found} == {("not_a_message", "unknown", QUEUE)}
    for letter in found:
        journal.write(lambda connection, letter=letter: dead_letters.discard(connection, letter.id, now=time.time()))
    assert keeper(journal, broker).run_once() == {}
    assert letters(journal) == []
