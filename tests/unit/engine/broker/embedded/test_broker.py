"""What the embedded broker does beyond the conformance suite: its file, and what may happen to it."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from dramatiq import Message
from dramatiq.errors import ConnectionClosed, ConnectionFailed, QueueJoinTimeout
from tests.own_records import own_records

from growbin_jobs.engine.broker.embedded import queue as local_store
from growbin_jobs.engine.broker.embedded import session as embedded_session
from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.broker.embedded.claims import EmbeddedDelivery
from growbin_jobs.engine.broker.embedded.consumer import EmbeddedConsumer
from growbin_jobs.engine.broker.embedded.queue import EmbeddedQueue, QueueUnavailable
from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.errors import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "broker.db"


@pytest.fixture
def make(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], EmbeddedBroker]]:
    """Makes brokers on one file, which give up on a locked file at once."""
    monkeypatch.setattr(local_store, "PATIENCE", 0.05)
    made: list[EmbeddedBroker] = []

    def make() -> EmbeddedBroker:
        made.append(EmbeddedBroker(path, middleware=[]))
        made[-1].declare_queue("q")
        return made[-1]

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def broker(make: Callable[[], EmbeddedBroker]) -> EmbeddedBroker:
    return make()


def message(n: int = 0, **fields: Any) -> Message[Any]:
    return Message(**{"queue_name": "q", "actor_name": "act", "args": (n,), "kwargs": {}, "options": {}, **fields})


def consume(broker: EmbeddedBroker, prefetch: int = 10, timeout: int = 5_000) -> EmbeddedConsumer:
    return broker.consume("q", prefetch=prefetch, timeout=timeout)


def receive(consumer: EmbeddedConsumer) -> EmbeddedDelivery:
    received = next(consumer)
    assert received is not None
    return received


def on_connection(broker: EmbeddedBroker, sql: str) -> Any:
    """Run a statement on the broker's own connection."""
    return broker._hold().read(lambda queue: queue._connection.execute(sql).get)


# --- the clock


@pytest.mark.parametrize("consumes", ["since", "before"])
def test_a_delay_is_as_long_as_it_was_when_the_clock_is_set_back(
    make: Callable[[], EmbeddedBroker], monkeypatch: pytest.MonkeyPatch, consumes: str
) -> None:
    broker, clock, ahead = make(), time.time, 86_400.0
    monkeypatch.setattr(time, "time", lambda: clock() + ahead)
    consumer = consume(broker) if consumes == "before" else None
    if consumer is not None:  # it has looked at the clock, and found it as it was
        first = broker.enqueue(message())
        assert receive(consumer).message_id == first.message_id
    sent = broker.enqueue(message(), delay=20)

    ahead = 0.0
    consumer = consumer or consume(broker)

    while (received := next(consumer)) is None:
        pass
    assert received.message_id == sent.message_id


# --- the file


def test_making_a_broker_touches_no_file(broker: EmbeddedBroker, path: Path) -> None:
    assert not path.parent.exists()


def test_everything_it_makes_is_private(broker: EmbeddedBroker, path: Path) -> None:
    broker.enqueue(message())
    consumer = consume(broker)
    for made in (path.parent, *path.parent.rglob("*")):
        assert made.stat().st_mode & 0o077 == 0, made
    consumer.close()


def test_it_leaves_no_locks_nor_bells_behind(broker: EmbeddedBroker, path: Path) -> None:
    broker.enqueue(message())
    consume(broker).close()
    broker.close()
    assert [each.name for each in path.parent.rglob("*") if not each.is_dir()] == ["broker.db"]


def test_an_old_sqlite_is_refused_before_anything_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.40.1")
    with pytest.raises(ConfigurationError, match=r"3\.40\.1"):
        EmbeddedBroker(path, middleware=[])


def test_a_file_of_another_kind_is_refused_in_words(broker: EmbeddedBroker, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database at all, but long enough to be taken for one by its size\n" * 100)
    for _ in range(2):
        with pytest.raises(ConnectionFailed, match="not a SQLite file"):
            broker.enqueue(message())


def test_a_folder_that_cannot_be_made_is_said_and_tried_again(broker: EmbeddedBroker, path: Path) -> None:
    path.parent.write_text("a file is in the way")
    with pytest.raises(ConnectionFailed, match="FileExistsError"):
        broker.enqueue(message())
    path.parent.unlink()
    broker.enqueue(message())


def test_a_removed_file_is_noticed_and_made_anew(broker: EmbeddedBroker, path: Path) -> None:
    broker.enqueue(message(1))
    consumer = consume(broker)
    delivery = receive(consumer)
    for made in path.parent.glob("broker.db*"):
        if made.is_file():
            made.unlink()
    with pytest.raises(ConnectionClosed, match="moved or removed"):
        broker.enqueue(message(2))
    assert delivery.stale
    consumer.ack(delivery)
    with pytest.raises(ConnectionClosed):
        next(consumer)
    consumer.close()
    broker.enqueue(message(3))
    assert receive(consume(broker)).args == (3,)


def test_a_broker_may_be_used_after_it_was_closed(broker: EmbeddedBroker) -> None:
    broker.enqueue(message(1))
    broker.close()
    assert receive(consume(broker)).args == (1,)


def test_closing_the_broker_gives_back_what_it_had(make: Callable[[], EmbeddedBroker]) -> None:
    one, other = make(), make()
    one.enqueue(message())
    consumer = consume(one)
    delivery = receive(consumer)
    one.close()
    assert delivery.stale
    assert receive(consume(other)).message_id == delivery.message_id


# --- trouble


def test_a_locked_file_is_said_and_costs_no_claim(
    broker: EmbeddedBroker, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a delivery, and another process that locks the file
    broker.enqueue(message(1))
    consumer = consume(broker, timeout=10)
    delivery = receive(consumer)
    broker.enqueue(message(2))
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    # Then whoever sends or settles is told, and the consumer survives
    with pytest.raises(QueueUnavailable, match="lock"):
        broker.enqueue(message(3))
    with pytest.raises(QueueUnavailable, match="lock"):
        consumer.ack(delivery)
    with caplog.at_level(logging.WARNING):
        assert next(consumer) is None
        assert next(consumer) is None
    assert [record.levelname for record in own_records(caplog)] == ["CRITICAL"]
    # And when the lock is gone, everything goes on as if nothing had been
    other.execute("ROLLBACK")
    other.close()
    assert not delivery.stale
    consumer.ack(delivery)
    assert receive(consumer).args == (2,)
    assert broker.depths() == {"q": Depth(claimed=1)}


def test_a_full_disk_is_said_and_it_goes_on_when_there_is_room(broker: EmbeddedBroker) -> None:
    # SQLite answers the same whether the disk is full or the file may not grow.
    pages = on_connection(broker, "PRAGMA page_count")
    on_connection(broker, f"PRAGMA max_page_count = {pages + 2}")
    accepted = 0

    def fill() -> None:
        nonlocal accepted
        for n in range(100):
            broker.enqueue(message(n, kwargs={"padding": "x" * 1000}))
            accepted += 1

    with pytest.raises(QueueUnavailable, match="disk is full"):
        fill()
    assert 0 < accepted < 100
    assert broker.depths() == {"q": Depth(ready=accepted)}
    on_connection(broker, f"PRAGMA max_page_count = {pages + 1000}")
    broker.enqueue(message(100))
    consumer = consume(broker, prefetch=200)
    assert [receive(consumer).args[0] for _ in range(accepted + 1)] == [*range(accepted), 100]


def test_what_a_closing_consumer_could_not_give_back_is_given_back_later(
    make: Callable[[], EmbeddedBroker], path: Path
) -> None:
    # Given a consumer that is closed while the file is locked
    broker = make()
    broker.enqueue(message())
    consumer = consume(broker)
    delivery = receive(consumer)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    consumer.close()
    other.execute("ROLLBACK")
    other.close()
    # Then the next one of the same process gets it
    assert receive(consume(broker)).message_id == delivery.message_id


def test_a_claim_that_comes_after_the_close_claims_nothing(broker: EmbeddedBroker) -> None:
    # Dramatiq closes consumers from another thread, and does not wait for ever for theirs.
    broker.enqueue(message())
    consumer = consume(broker)
    consumer.close()
    consumer._claim(1)
    assert broker.depths() == {"q": Depth(ready=1)}


def test_what_is_no_message_goes_to_the_dead_letters(broker: EmbeddedBroker) -> None:
    rubbish = [b"\xff\xfe", b"[]", b"{}", b'"text"', message(options=1).encode(), message(kwargs=[]).encode()]

    def put_all(queue: EmbeddedQueue) -> None:
        for n, body in enumerate(rubbish):
            queue.put("q", f"rubbish {n}", body, priority=0, due=0, now=0)

    broker._hold().write(put_all)
    broker.enqueue(message(1))
    assert receive(consume(broker, prefetch=1)).args == (1,)
    letters = broker.dead_letters("q")
    assert {letter.body for letter in letters} == set(rubbish)
    assert all("not a message" in letter.reason for letter in letters)


def test_claims_of_a_process_that_nobody_knows_are_void(broker: EmbeddedBroker) -> None:
    # The file was copied from elsewhere, or somebody cleared the folder of locks.
    broker.enqueue(message(1))
    broker._hold().write(lambda queue: queue.claim("q", owner="gone", consumer="gone/1", limit=1, now=2**53))
    assert receive(consume(broker)).args == (1,)


# --- idle consumers


def test_a_patient_consumer_finds_what_nobody_woke_it_for(
    make: Callable[[], EmbeddedBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who brought it was killed before it could wake anybody."""
    monkeypatch.setattr(embedded_session, "REAPS", 1)
    broker, sender = make(), make()
    broker.be_patient(True)
    consumer = consume(broker, timeout=10)
    monkeypatch.setattr(local_store, "wake_all", lambda *_: None)
    sender.enqueue(message(1))
    assert receive(consumer).args == (1,)


def test_a_patient_consumer_gets_what_a_dead_process_had(make: Callable[[], EmbeddedBroker]) -> None:
    broker, killed = make(), make()
    broker.be_patient(True)
    broker.enqueue(message(1))
    receive(consume(killed))
    owner = killed._hold()._owner
    assert owner is not None
    owner.let_go()  # what the kernel does when it dies
    assert receive(consume(broker, timeout=10)).args == (1,)
    killed._hold()._owner = None


def test_patience_ends_at_once(broker: EmbeddedBroker) -> None:
    broker.be_patient(True)
    consumer = consume(broker, timeout=10)
    found: list[EmbeddedDelivery | None] = []
    waiting = threading.Thread(target=lambda: found.append(next(consumer)))
    waiting.start()
    broker.be_patient(False)
    waiting.join(30)
    assert found == [None]


def test_a_consumer_that_waits_is_told_at_once_that_the_broker_was_closed(broker: EmbeddedBroker) -> None:
    broker.be_patient(True)
    refusals: list[ConnectionClosed] = []
    consumer, waiting = consume(broker), threading.Event()
    wait_there = consumer._wakeup.wait

    def wait(seconds: float) -> bool:
        waiting.set()
        return wait_there(seconds)

    consumer._wakeup.wait = wait  # type: ignore[method-assign]

    def take() -> None:
        try:
            next(consumer)
        except ConnectionClosed as error:
            refusals.append(error)

    taking = threading.Thread(target=take)
    taking.start()
    assert waiting.wait(30)
    broker.close()
    taking.join(30)
    assert len(refusals) == 1


def test_a_consumer_that_waits_is_told_at_once_that_the_file_is_gone(broker: EmbeddedBroker, path: Path) -> None:
    broker.be_patient(True)
    consumer = consume(broker)
    for made in path.parent.glob("broker.db*"):
        if made.is_file():
            made.unlink()
    with pytest.raises(ConnectionClosed, match="closed"):
        next(consumer)


# --- messages


def test_a_dead_letter_says_when_and_why(broker: EmbeddedBroker) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    sent = broker.enqueue(message())
    consumer = consume(broker)
    delivery = receive(consumer)
    delivery.stuff_exception(ValueError("no such item"))
    consumer.nack(delivery)
    [letter] = broker.dead_letters()
    assert (letter.message_id, letter.queue, letter.deliveries) == (sent.message_id, "q", 1)
    assert letter.reason == "ValueError"  # its text may be somebody's data
    assert before <= letter.died_at <= datetime.now(UTC)
    assert Message.decode(letter.body) == sent
    assert broker.dead_letters("another") == []


def test_deliveries_are_counted_but_not_those_that_nobody_began(broker: EmbeddedBroker) -> None:
    broker.enqueue(message())
    consumer = consume(broker)
    unstarted = receive(consumer)
    consumer.requeue([unstarted])
    first = receive(consumer)
    assert (first.deliveries, first.redelivered) == (1, False)
    broker.enqueue(message(2))
    consumer._claim(1)  # fetched, but not handed out when it closes
    consumer.close()
    consumer = consume(broker)
    again = [receive(consumer), receive(consumer)]
    assert [(each.args[0], each.deliveries, each.redelivered) for each in again] == [(0, 2, True), (2, 1, False)]


def test_requeued_messages_are_there_before_the_consumer_closes(make: Callable[[], EmbeddedBroker]) -> None:
    stopping, other = make(), make()
    stopping.enqueue(message())
    consumer = consume(stopping)
    consumer.requeue([receive(consumer)])
    assert receive(consume(other)).args == (0,)


def test_a_given_back_message_yields_to_a_retry_that_arrived_after_all(broker: EmbeddedBroker) -> None:
    broker.enqueue(message())
    consumer = consume(broker)
    delivery = receive(consumer)
    broker.enqueue(delivery.copy(options={"retries": 1}), delay=60_000)
    delivery.requeue()
    consumer.ack(delivery)
    assert broker.depths() == {"q": Depth(delayed=1)}


def test_a_due_time_that_has_come_does_not_reach_the_worker(broker: EmbeddedBroker) -> None:
    broker.enqueue(message(options={"eta": 7}))
    assert receive(consume(broker)).options == {}


def test_a_retry_does_not_share_its_options_with_the_delivery(broker: EmbeddedBroker) -> None:
    broker.enqueue(message())
    delivery = receive(consume(broker))
    retry = broker.enqueue(delivery)  # type: ignore[arg-type]
    assert type(retry) is Message
    assert retry.options is not delivery.options


@pytest.mark.parametrize("priority", ["high", 1.5, True, 2**63, 256, -1])
def test_a_priority_that_is_no_number_is_refused(broker: EmbeddedBroker, priority: object) -> None:
    with pytest.raises(ValueError, match="broker_priority"):
        broker.enqueue(message(options={"broker_priority": priority}))


def test_a_name_that_cannot_be_stored_fails_its_sender_only(broker: EmbeddedBroker) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        broker.enqueue(message(queue_name="\ud800"))
    broker.enqueue(message())
    assert broker.depths() == {"q": Depth(ready=1)}


def test_depths_know_every_queue_and_state(broker: EmbeddedBroker) -> None:
    for n in range(4):
        broker.enqueue(message(n))
    broker.enqueue(message(queue_name="another"), delay=60_000)
    consumer = consume(broker, prefetch=2)
    consumer.nack(receive(consumer))
    receive(consumer)
    assert broker.depths() == {"another": Depth(delayed=1), "q": Depth(ready=2, claimed=1, dead=1)}
    assert broker.get_queue_message_counts("q") == (3, 0, 1)
    assert broker.get_queue_message_counts("unheard_of") == (0, 0, 0)


def test_flushing_leaves_what_is_being_worked_on(broker: EmbeddedBroker) -> None:
    for n in range(3):
        broker.enqueue(message(n))
    consumer = consume(broker, prefetch=2)
    consumer.nack(receive(consumer))
    delivery = receive(consumer)
    broker.flush_all()
    assert broker.depths() == {"q": Depth(claimed=1)}
    consumer.ack(delivery)
    broker.join("q", timeout=0)


def test_joining_gives_up_after_its_timeout(broker: EmbeddedBroker) -> None:
    broker.enqueue(message(), delay=60_000)
    with pytest.raises(QueueJoinTimeout):
        broker.join("q", timeout=50)
