"""What every broker of the project does, over all of them.

A new broker is one factory and the list of what it can do. Dramatiq's StubBroker runs along: where it passes, a test
says what Dramatiq expects, and not only what ours happen to do.
"""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import dramatiq
import pytest
from dramatiq import Message, Middleware, Worker
from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import QueueNotFound
from dramatiq.middleware import Retries

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.broker.port import BrokerPort
from growbin_jobs.engine.delivery.admission import MAX_BODY, MAX_DELAY
from growbin_jobs.engine.delivery.outbox import Outbox
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import attempts
from growbin_jobs.engine.middleware.lifecycle import Lifecycle, OutboxScope
from growbin_jobs.engine.middleware.retries import Retries as OurRetries
from growbin_jobs.errors import Deferred, Transient

#: Seconds until something that must happen counts as not happening.
PATIENCE = 20.0

Open = Callable[[list[Middleware]], Broker]


@dataclass(frozen=True)
class Implementation:
    """A broker under test.

    Attributes:
      name: Shown in the test's name.
      factory: Gets pytest's request and returns what opens a broker; all brokers it opens share their messages.
      dead: Number of dead letters of a queue.
      abilities: What not every broker can do; see the tests that ask for it.
      marks: For pytest.
    """

    name: str
    factory: Callable[[pytest.FixtureRequest], Open]
    dead: Callable[[Any, str], int]
    abilities: frozenset[str] = frozenset()
    marks: tuple[pytest.MarkDecorator, ...] = ()


def open_stub(_request: pytest.FixtureRequest) -> Open:
    return lambda middleware: StubBroker(middleware=middleware)


def open_local(request: pytest.FixtureRequest) -> Open:
    path = request.getfixturevalue("tmp_path") / "broker.db"
    return lambda middleware: EmbeddedBroker(path, middleware=middleware)


def open_rabbit(request: pytest.FixtureRequest) -> Open:
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

    url = request.getfixturevalue("rabbitmq_url")
    return lambda middleware: RabbitBroker(url=url, middleware=middleware)


IMPLEMENTATIONS = [
    Implementation("stub", open_stub, dead=lambda broker, queue: len(broker.dead_letters_by_queue[queue])),
    Implementation(
        "local",
        open_local,
        dead=lambda broker, queue: int(broker.get_queue_message_counts(queue)[2]),
        abilities=frozenset(
            {"shared", "redelivers", "gives back", "any queue", "priorities", "no doubles", "holds delays", "forwards"}
        ),
    ),
    Implementation(
        "rabbitmq",
        open_rabbit,
        dead=lambda broker, queue: int(broker.get_queue_message_counts(queue)[2]),
        abilities=frozenset({"shared", "redelivers", "gives back", "any queue", "holds delays", "forwards"}),
        marks=(pytest.mark.services,),
    ),
]


def over(*abilities: str) -> pytest.MarkDecorator:
    """Run a test over the brokers that have these abilities."""
    able = [each for each in IMPLEMENTATIONS if each.abilities.issuperset(abilities)]
    params = [pytest.param(each, id=each.name, marks=each.marks) for each in able]
    return pytest.mark.parametrize("place", params, indirect=True)


class Place:
    """Where one implementation keeps its messages during a test."""

    def __init__(self, implementation: Implementation, request: pytest.FixtureRequest) -> None:
        self._implementation = implementation
        self._open = implementation.factory(request)
        self.queue = f"queue_{uuid4().hex[:12]}"
        self.brokers: list[Broker] = []
        self.workers: list[Worker] = []
        self._consumers: list[Consumer] = []

    def broker(self, *middleware: Middleware) -> Broker:
        """Return one more broker that declares the test's queue."""
        broker = self._open(list(middleware))
        self.brokers.append(broker)
        broker.declare_queue(self.queue)
        return broker

    def stranger(self) -> Broker:
        """Return one more broker that knows no queue."""
        self.brokers.append(self._open([]))
        return self.brokers[-1]

    def consumer(self, broker: Broker, prefetch: int = 10) -> Consumer:
        consumer = broker.consume(self.queue, prefetch=prefetch, timeout=200)
        self._consumers.append(consumer)
        return consumer

    def worker(self, broker: Broker, threads: int = 4) -> Worker:
        worker = Worker(broker, worker_timeout=100, worker_threads=threads)
        self.workers.append(worker)
        worker.start()
        return worker

    def message(self, n: int = 0, **options: Any) -> Message[Any]:
        return Message(queue_name=self.queue, actor_name="act", args=(n,), kwargs={"key": "값"}, options=options)

    def dead(self, broker: Broker) -> int:
        return self._implementation.dead(broker, self.queue)

    def close(self) -> None:
        for worker in self.workers:
            worker.stop(timeout=10_000)
        for consumer in self._consumers:
            consumer.close()
        for broker in self.brokers:
            broker.close()


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    place = Place(request.param, request)
    yield place
    place.close()


def receive(consumer: Consumer, number: int = 1) -> list[MessageProxy]:
    """Return the next messages, in order."""
    received: list[MessageProxy] = []
    end = time.monotonic() + PATIENCE
    while len(received) < number and time.monotonic() < end:
        message = next(consumer)
        if message is not None:
            received.append(message)
    assert len(received) == number, f"only {len(received)} of {number} messages came"
    return received


def eventually(condition: Callable[[], bool]) -> None:
    """For what happens somewhere else and tells nobody."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def numbers(messages: list[MessageProxy]) -> list[Any]:
    return [message.args[0] for message in messages]


# --- sending and receiving


@over()
def test_a_message_arrives_as_it_was_sent(place: Place) -> None:
    broker = place.broker()
    sent = broker.enqueue(place.message(7, custom="option"))
    [received] = receive(place.consumer(broker))
    assert received.message_id == sent.message_id
    assert (received.queue_name, received.actor_name) == (place.queue, "act")
    assert (received.args, received.kwargs, received.options) == ((7,), {"key": "값"}, {"custom": "option"})
    assert received.message_timestamp == sent.message_timestamp


@over()
def test_messages_come_in_the_order_they_were_sent(place: Place) -> None:
    broker = place.broker()
    for n in range(20):
        broker.enqueue(place.message(n))
    assert numbers(receive(place.consumer(broker, prefetch=20), 20)) == list(range(20))


@over("priorities")
def test_the_lower_priority_number_goes_first(place: Place) -> None:
    broker = place.broker()
    for n in (5, 1, 255, 0, 1):
        broker.enqueue(place.message(n, broker_priority=n))
    assert numbers(receive(place.consumer(broker), 5)) == [0, 1, 1, 5, 255]


@over("priorities")
def test_an_actors_priority_counts_where_the_message_has_none(place: Place) -> None:
    broker = place.broker()
    dramatiq.actor(lambda n: None, actor_name="act", queue_name=place.queue, broker=broker, priority=10)
    broker.enqueue(place.message(1))
    broker.enqueue(place.message(2, broker_priority=9))
    assert numbers(receive(place.consumer(broker), 2)) == [2, 1]


@over()
def test_an_empty_queue_gives_none_after_the_timeout(place: Place) -> None:
    assert next(place.consumer(place.broker())) is None


@over()
def test_consuming_an_undeclared_queue_fails(place: Place) -> None:
    with pytest.raises(QueueNotFound):
        place.broker().consume("never_declared")


@over()
def test_many_threads_send_at_once(place: Place) -> None:
    broker = place.broker()

    def send(offset: int) -> None:
        for n in range(offset, offset + 25):
            broker.enqueue(place.message(n))

    threads = [threading.Thread(target=send, args=(25 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(numbers(receive(place.consumer(broker, prefetch=200), 200))) == list(range(200))


@over("no doubles")
def test_an_id_that_waits_is_not_added_again(place: Place) -> None:
    broker = place.broker()
    message = place.message(1)
    broker.enqueue(message)
    broker.enqueue(message, delay=1)
    consumer = place.consumer(broker)
    [received] = receive(consumer)
    consumer.ack(received)
    assert next(consumer) is None


@over()
def test_a_retry_sent_before_the_acknowledgement_survives_it(place: Place) -> None:
    broker = place.broker()
    broker.enqueue(place.message(1))
    consumer = place.consumer(broker)
    [first] = receive(consumer)
    first.options["retries"] = 1
    broker.enqueue(first)  # type: ignore[arg-type]  # a proxy, as Dramatiq's Retries sends it
    consumer.ack(first)
    [second] = receive(consumer)
    assert (second.message_id, second.options) == (first.message_id, {"retries": 1})


# --- settling


@over()
def test_an_acknowledged_message_is_gone(place: Place) -> None:
    broker = place.broker()
    broker.enqueue(place.message())
    consumer = place.consumer(broker)
    consumer.ack(*receive(consumer))
    consumer.close()
    assert next(place.consumer(broker)) is None
    assert place.dead(broker) == 0


@over()
def test_a_rejected_message_is_a_dead_letter(place: Place) -> None:
    broker = place.broker()
    broker.enqueue(place.message())
    consumer = place.consumer(broker)
    consumer.nack(*receive(consumer))
    eventually(lambda: place.dead(broker) == 1)
    consumer.close()
    assert next(place.consumer(broker)) is None


@over()
def test_no_more_is_handed_out_than_prefetch_allows(place: Place) -> None:
    broker = place.broker()
    for n in range(4):
        broker.enqueue(place.message(n))
    consumer = place.consumer(broker, prefetch=2)
    first, second = receive(consumer, 2)
    assert next(consumer) is None
    consumer.ack(second)
    [third] = receive(consumer)
    assert third.args == (2,)
    assert next(consumer) is None
    consumer.nack(first)
    assert numbers(receive(consumer)) == [3]


@over("redelivers")
def test_what_a_closed_consumer_had_comes_again(place: Place) -> None:
    broker = place.broker()
    for n in range(3):
        broker.enqueue(place.message(n))
    consumer = place.consumer(broker)
    done, *_ = receive(consumer, 2)
    assert not done.redelivered
    consumer.ack(done)
    consumer.close()
    again = receive(place.consumer(broker), 2)
    assert numbers(again) == [1, 2]
    assert again[0].redelivered


@over("redelivers")
def test_a_delivery_of_a_closed_consumer_settles_nothing(place: Place) -> None:
    # Given a message that was delivered, and again after its consumer was closed
    broker = place.broker()
    broker.enqueue(place.message())
    consumer = place.consumer(broker)
    [old] = receive(consumer)
    assert not old.stale
    consumer.close()
    assert old.stale
    consumer = place.consumer(broker)
    [new] = receive(consumer)
    # When Dramatiq settles the old delivery on the consumer that the queue has now
    consumer.ack(old)
    consumer.nack(old)
    consumer.close()
    # Then the message is still there
    consumer = place.consumer(broker)
    [once_more] = receive(consumer)
    assert once_more.message_id == new.message_id
    assert place.dead(broker) == 0


@over("redelivers")
def test_requeued_messages_go_to_others_at_once(place: Place) -> None:
    broker = place.broker()
    for n in range(3):
        broker.enqueue(place.message(n))
    stopping = place.consumer(broker)
    begun, *unstarted = receive(stopping, 3)
    stopping.requeue(unstarted)
    stopping.ack(begun)
    stopping.close()
    assert numbers(receive(place.consumer(broker), 2)) == [1, 2]


@over("gives back")
@pytest.mark.parametrize("settle", ["ack", "nack"])
def test_a_message_that_was_given_back_comes_again(place: Place, settle: str) -> None:
    broker = place.broker()
    broker.enqueue(place.message())
    consumer = place.consumer(broker)
    [received] = receive(consumer)
    received.requeue()
    getattr(consumer, settle)(received)
    [again] = receive(consumer)
    assert again.message_id == received.message_id
    assert place.dead(broker) == 0


@over("shared")
def test_two_brokers_share_their_messages(place: Place) -> None:
    sender, receiver = place.broker(), place.broker()
    consumer = place.consumer(receiver)
    sender.enqueue(place.message(1))
    assert numbers(receive(consumer)) == [1]


@over()
def test_closing_twice_is_fine(place: Place) -> None:
    broker = place.broker()
    broker.enqueue(place.message())
    consumer = place.consumer(broker)
    receive(consumer)
    for _ in range(2):
        consumer.close()
    for _ in range(2):
        broker.close()


# --- with a worker


@over()
def test_a_delayed_message_runs_when_it_is_due(place: Place) -> None:
    broker = place.broker()
    ran: SimpleQueue[float] = SimpleQueue()
    actor = dramatiq.actor(lambda: ran.put(time.monotonic()), actor_name="timed", queue_name=place.queue, broker=broker)
    place.worker(broker)
    sent = time.monotonic()
    actor.send_with_options(delay=300)
    # 1 ms: due times are whole milliseconds of another clock.
    assert ran.get(timeout=PATIENCE) - sent >= 0.299


@over("holds delays")
def test_a_delay_is_no_business_of_the_workers(place: Place) -> None:
    broker = place.broker()
    sent = broker.enqueue(place.message(), delay=100)
    assert sent.queue_name == place.queue
    assert broker.get_declared_delay_queues() == set()
    [received] = receive(place.consumer(broker))
    assert (received.queue_name, "eta" in received.options) == (place.queue, False)


@over("holds delays")
def test_messages_come_in_the_order_in_which_they_are_due(place: Place) -> None:
    broker = place.broker()
    due: dict[int, float] = {}
    for n, delay in enumerate([3000, 1000, 4000, 2500, 500, 3500, 1, 2000]):
        due[n] = time.monotonic() + delay / 1000
        broker.enqueue(place.message(n), delay=delay)
    consumer = place.consumer(broker)
    came: list[int] = []
    for _ in due:
        came += numbers(receive(consumer))
        # 5 ms: due times are whole milliseconds of another clock, at each step on the way.
        assert time.monotonic() >= due[came[-1]] - 0.005
    # 1.5 s: a broker may keep delays to the second only.
    assert not [(one, other) for n, one in enumerate(came) for other in came[n:] if due[one] > due[other] + 1.5]


@over("holds delays")
def test_a_long_delay_holds_up_no_short_one(place: Place) -> None:
    broker = place.broker()
    for n, delay in enumerate([365 * 86_400_000, 3_600_000, 60_000, 1000]):
        broker.enqueue(place.message(n), delay=delay)
    assert numbers(receive(place.consumer(broker))) == [3]


@over("holds delays", "redelivers")
def test_consumers_that_come_and_go_do_not_touch_what_is_delayed(place: Place) -> None:
    broker = place.broker()
    broker.enqueue(place.message(), delay=1500)
    for _ in range(5):
        place.consumer(broker, prefetch=100).close()
    [received] = receive(place.consumer(broker))
    assert not received.redelivered


def owed(message: Message[Any], **fields: Any) -> OutboxMessage:
    names = {"message_id": message.message_id, "task_name": message.actor_name, "queue_name": message.queue_name}
    return OutboxMessage(**{**names, "body": message.encode(), **fields})


# --- the port


@over("forwards")
def test_it_implements_the_port(place: Place) -> None:
    assert isinstance(place.broker(), BrokerPort)


@over("forwards")
def test_depths_count_what_is_ready_and_what_is_dead(place: Place) -> None:
    broker: Any = place.broker()
    elsewhere = place.queue + "_elsewhere"
    for n in range(3):
        broker.enqueue(place.message(n))
    broker.enqueue(place.message().copy(queue_name=elsewhere))  # used, not declared
    broker.enqueue(place.message(3), delay=60_000)
    consumer = place.consumer(broker, prefetch=1)
    consumer.nack(*receive(consumer))
    eventually(lambda: broker.depths()[place.queue].dead == 1)
    consumer.close()
    eventually(lambda: broker.depths()[place.queue].ready == 2)  # a quorum queue takes it back after it has answered

    depth = broker.depths()[place.queue]

    assert (depth.ready, depth.dead) == (2, 1)
    assert depth.claimed in (None, 0)  # None: it cannot tell
    assert depth.delayed in (None, 1)
    assert broker.depths()[elsewhere].ready == 1


@over("forwards")
def test_a_process_that_has_used_no_queue_is_told_of_those_that_it_names(place: Place) -> None:
    sender: Any = place.broker()
    sender.enqueue(place.message())

    asking: Any = place.stranger()  # a broker that has declared it knows it anyway

    assert asking.depths([place.queue, "never_used"])[place.queue].ready == 1
    assert "never_used" not in asking.depths(["never_used"])


@over("forwards")
def test_a_queue_that_nobody_has_used_has_no_depth(place: Place) -> None:
    broker: Any = place.broker()

    assert broker.depths() == {}
    assert broker.dead_letters(place.queue) == []
    assert broker.dead_letters() == []


@over("forwards")
def test_dead_letters_are_listed_newest_first_and_stay(place: Place) -> None:
    # Given three that were given up one after the other
    broker: Any = place.broker()
    consumer = place.consumer(broker, prefetch=1)
    sent = [broker.enqueue(place.message(n, broker_priority=5)) for n in range(3)]
    for n in range(3):
        consumer.nack(*receive(consumer))
        eventually(lambda n=n: broker.depths()[place.queue].dead == n + 1)  # type: ignore[misc]
    # When they are read more often than RabbitMQ 4 would deliver them
    for _ in range(25):
        letters = broker.dead_letters(place.queue)
        # Then they are all there
        assert {letter.message_id for letter in letters} == {message.message_id for message in sent}
    # And as they were sent
    by_id = {letter.message_id: letter for letter in letters}
    for message in sent:
        letter = by_id[message.message_id]
        assert (letter.body, letter.queue, letter.priority) == (message.encode(), place.queue, 5)
        assert letter.died_at is not None
        assert abs(letter.died_at.timestamp() - time.time()) < 600
        assert letter.died_at.utcoffset() == timedelta(0)
    assert [letter.message_id for letter in broker.dead_letters(limit=1)] == [letters[0].message_id]
    assert broker.dead_letters(limit=0) == []
    assert broker.dead_letters(place.queue + "_other") == []
    assert broker.depths()[place.queue].dead == 3


@over("forwards")
def test_the_newest_dead_letter_comes_first(place: Place) -> None:
    broker: Any = place.broker()
    consumer = place.consumer(broker, prefetch=1)
    sent = [broker.enqueue(place.message(n)).message_id for n in range(3)]
    for n in range(3):
        consumer.nack(*receive(consumer))
        eventually(lambda n=n: broker.depths()[place.queue].dead == n + 1)  # type: ignore[misc]

    assert [letter.message_id for letter in broker.dead_letters(place.queue)] == sent[::-1]
    assert [letter.message_id for letter in broker.dead_letters(place.queue, limit=2)] == sent[:0:-1]


@over("forwards")
def test_what_a_journal_owes_arrives_in_order(place: Place) -> None:
    broker: Any = place.broker()
    sent = [place.message(n) for n in range(100)]

    assert broker.forward([owed(message) for message in sent]) == [None] * 100

    received = receive(place.consumer(broker, prefetch=100), 100)
    assert [message.message_id for message in received] == [message.message_id for message in sent]


@over("forwards")
def test_what_is_owed_comes_with_what_is_left_of_its_delay(place: Place) -> None:
    broker: Any = place.broker()
    due = time.time() + 2.0
    later, now = owed(place.message(1), due_at=due), owed(place.message(2), due_at=time.time() - 60.0)

    assert broker.forward([later, now]) == [None, None]

    consumer = place.consumer(broker)
    assert numbers(receive(consumer)) == [2]
    assert numbers(receive(consumer)) == [1]
    assert time.time() >= due - 0.005


@over("forwards")
def test_what_cannot_be_sent_holds_up_nothing_that_is_owed(place: Place) -> None:
    broker: Any = place.broker()
    bad = owed(place.message(2), body=b'{"broker_priority": ')

    first, second, third = broker.forward([owed(place.message(1)), bad, owed(place.message(3))])

    assert (first, third) == (None, None)
    assert isinstance(second, ValueError)
    assert numbers(receive(place.consumer(broker), 2)) == [1, 3]


def circle() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


#: What no broker can ever deliver: the changed fields of a message, and a delay.
UNSENDABLE: dict[str, tuple[dict[str, Any], Any]] = {
    "too large": ({"args": ("x" * MAX_BODY,)}, None),
    "priority above a byte": ({"options": {"broker_priority": 256}}, None),
    "priority below 0": ({"options": {"broker_priority": -1}}, None),
    "priority is a fraction": ({"options": {"broker_priority": 1.5}}, None),
    "priority is text": ({"options": {"broker_priority": "high"}}, None),
    "eta is text": ({"options": {"eta": "soon"}}, None),
    "eta is endless": ({"options": {"eta": float("inf")}}, None),
    "id too long": ({"message_id": "i" * 256}, None),
    "id too long in bytes": ({"message_id": "값" * 86}, None),
    "id with a lone surrogate": ({"message_id": "a\ud800"}, None),
    "id with a line end": ({"message_id": "a\n"}, None),
    "id empty": ({"message_id": ""}, None),
    "id is a number": ({"message_id": 7}, None),
    "queue too long": ({"queue_name": "q" * 253}, None),
    "queue with a lone surrogate": ({"queue_name": "a\udfff"}, None),
    "queue with a zero byte": ({"queue_name": "a\0"}, None),
    "queue empty": ({"queue_name": ""}, None),
    "queue of dead letters": ({"queue_name": "q.XQ"}, None),
    "queue of RabbitMQ": ({"queue_name": "amq.q"}, None),
    "actor too long": ({"actor_name": "a" * 256}, None),
    "actor with a lone surrogate": ({"actor_name": "\ud8ff"}, None),
    "bytes among the arguments": ({"args": (b"x",)}, None),
    "a circle among the arguments": ({"args": (circle(),)}, None),
    "no JSON key": ({"kwargs": {"a": {(1, 2): 3}}}, None),
    "time is no number": ({"message_timestamp": "now"}, None),
    "delay too long": ({}, MAX_DELAY + 1),
    "delay beyond all numbers": ({}, 10**400),
    "delay endless": ({}, float("inf")),
    "delay not a number": ({}, float("nan")),
    "delay is text": ({}, "5"),
}


@over("forwards")
@pytest.mark.parametrize(("fields", "delay"), UNSENDABLE.values(), ids=UNSENDABLE.keys())
def test_what_can_never_be_delivered_is_refused_where_it_is_sent(place: Place, fields: Any, delay: Any) -> None:
    broker = place.broker()
    good = place.message(1)
    bad = good.copy(**fields)

    with pytest.raises(ValueError, match=r"^.{10,300}$") as outside:
        broker.enqueue(bad, delay=delay)
    outbox = Outbox(broker, ("parent", 0, 0))
    outbox.open()
    try:
        with pytest.raises(ValueError, match=r"^.{10,300}$") as inside:
            broker.enqueue(bad, delay=delay)
        broker.enqueue(good)
    finally:
        owing = outbox.close()

    assert str(inside.value) == str(outside.value)
    assert [each.body for each in owing] == [good.copy(message_id=owing[0].message_id).encode()]


@over("forwards")
def test_what_is_just_small_enough_is_delivered(place: Place) -> None:
    broker = place.broker()
    bare = len(place.message().encode())
    sent = [
        place.message().copy(message_id="i" * 255, options={"broker_priority": 255}),
        place.message().copy(message_id="값" * 85),
        place.message().copy(args=("x" * (MAX_BODY - bare - 2),)),
    ]
    for message in sent:
        broker.enqueue(message)
    queue = place.queue + "q" * (252 - len(place.queue))
    broker.declare_queue(queue)
    broker.enqueue(place.message(4).copy(queue_name=queue))

    received = receive(place.consumer(broker), 3)
    assert {message.message_id for message in received} == {message.message_id for message in sent}
    consumer = broker.consume(queue, timeout=200)
    assert numbers(receive(consumer)) == [4]
    consumer.close()


@over()
def test_a_failing_actor_is_retried_until_it_succeeds(place: Place) -> None:
    broker = place.broker(Retries(min_backoff=10, max_backoff=20))
    attempts: SimpleQueue[int] = SimpleQueue()
    counter = count(1)

    def flaky() -> None:
        attempt = next(counter)
        attempts.put(attempt)
        if attempt < 3:
            raise RuntimeError("not yet")

    actor = dramatiq.actor(flaky, queue_name=place.queue, broker=broker, max_retries=5)
    place.worker(broker)
    actor.send()
    assert [attempts.get(timeout=PATIENCE) for _ in range(3)] == [1, 2, 3]
    place.workers.pop().stop()
    assert attempts.empty()
    assert place.dead(broker) == 0


@over()
def test_an_actor_that_never_succeeds_ends_in_the_dead_letters(place: Place) -> None:
    broker = place.broker(Retries(min_backoff=10, max_backoff=20))
    attempts: SimpleQueue[None] = SimpleQueue()

    def hopeless() -> None:
        attempts.put(None)
        raise RuntimeError("never")

    actor = dramatiq.actor(hopeless, queue_name=place.queue, broker=broker, max_retries=2)
    place.worker(broker)
    actor.send()
    eventually(lambda: place.dead(broker) == 1)
    assert attempts.qsize() == 3


@over()
def test_a_message_for_an_unknown_actor_is_a_dead_letter(place: Place) -> None:
    broker = place.broker()
    place.worker(broker)
    broker.enqueue(place.message())
    eventually(lambda: place.dead(broker) == 1)


@over("any queue")
def test_sending_to_another_groups_queue_does_not_consume_it(place: Place) -> None:
    # Given a worker
    broker = place.broker()
    worker = place.worker(broker)
    # When it sends to a queue that it has not declared
    elsewhere = place.queue + "_elsewhere"
    sent = broker.enqueue(place.message(3).copy(queue_name=elsewhere))
    # Then it does not consume that
    assert broker.get_declared_queues() == {place.queue}
    assert not any(elsewhere in name for name in worker.consumers)
    # But whoever declares it does
    other = place.broker()
    other.declare_queue(elsewhere)
    consumer = other.consume(elsewhere, timeout=200)
    [received] = receive(consumer)
    assert received.message_id == sent.message_id
    consumer.close()


@over()
def test_a_worker_runs_everything_once(place: Place) -> None:
    broker = place.broker()
    ran: SimpleQueue[int] = SimpleQueue()
    actor = dramatiq.actor(ran.put, actor_name="put", queue_name=place.queue, broker=broker)
    place.worker(broker, threads=8)
    for n in range(200):
        actor.send(n)
    assert sorted(ran.get(timeout=PATIENCE) for _ in range(200)) == list(range(200))
    place.workers.pop().stop()
    assert ran.empty()


@over("redelivers")
def test_a_stopping_worker_leaves_what_it_has_not_begun(place: Place) -> None:
    # Given a worker that is busy and has fetched more than it can begin
    broker = place.broker()
    began, may_end = threading.Event(), threading.Event()

    def slow(n: int) -> None:
        began.set()
        may_end.wait(PATIENCE)

    actor = dramatiq.actor(slow, queue_name=place.queue, broker=broker)
    for n in range(3):
        actor.send(n)
    worker = place.worker(broker, threads=1)
    assert began.wait(PATIENCE)
    # When it is stopped
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    eventually(lambda: not worker.workers[0].running)
    may_end.set()
    stopping.join(PATIENCE)
    place.workers.clear()
    # Then another one gets the rest
    assert numbers(receive(place.consumer(place.broker()), 2)) == [1, 2]


@over("redelivers")
def test_what_has_run_is_freed_without_pythons_collector(place: Place, tmp_path: Path) -> None:
    # Given a worker with a journal, whose tasks each send the next one
    journal = Journal(tmp_path / "journal" / "task_queue.db", node="n", worker="w", free_floor=1)
    deliveries: list[weakref.ref[Any]] = []

    class Watching(Middleware):
        def before_process_message(self, broker: Broker, message: Any) -> None:
            deliveries.append(weakref.ref(message))

    broker = place.broker(Lifecycle(lambda: journal), OutboxScope(), Watching())

    def send_next(n: int) -> None:
        if n:
            actor.send(n - 1)

    actor = dramatiq.actor(send_next, queue_name=place.queue, broker=broker)
    # When they run while nobody looks for cycles
    gc.disable()
    try:
        place.worker(broker, threads=2)
        actor.send(39)
        # Then nothing is left of them but what the threads still hold
        eventually(lambda: len(deliveries) == 40 and sum(each() is not None for each in deliveries) <= 5)
    finally:
        gc.enable()
        place.workers.pop().stop()
        journal.close()


@over("redelivers")
def test_the_journal_tells_what_failed_from_what_was_put_off(place: Place, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal" / "task_queue.db", node="n", worker="w", free_floor=1)
    retries = OurRetries(min_backoff=1)
    broker = place.broker(Lifecycle(lambda: journal), retries, OutboxScope())
    troubles: list[Exception] = [Deferred("not now", wait=0.1), Transient("not this time")]
    done = threading.Event()

    def troubled() -> None:
        if troubles:
            raise troubles.pop(0)
        done.set()

    actor = dramatiq.actor(troubled, queue_name=place.queue, broker=broker)
    place.worker(broker, threads=1)
    try:
        message = actor.send()
        assert done.wait(PATIENCE)
        found = journal.read(lambda connection: attempts.of_task(connection, message.message_id))
    finally:
        place.workers.pop().stop()
        journal.close()
    assert [(each.outcome, each.deferrals, each.retry_count) for each in found] == [
        ("deferred", 0, 0),
        ("failed", 1, 0),
    ]
