"""What a producer does with a message that the broker does not take now."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest
from dramatiq import Message

from growbin_jobs.engine.broker.errors import BrokerRefused, BrokerUnavailable, NotConfirmed
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.delivery.outbox import Outbox
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.forwarding import forwarder as forwarding
from growbin_jobs.engine.forwarding.forwarder import Forwarder, StoreAndForward
from growbin_jobs.engine.journal.journal import Journal

PATIENCE = 20.0


class Broker:
    """Takes messages, directly and from a forwarder, while nobody says that it is away."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.held: threading.Event | None = None
        self.direct: list[tuple[str, float, float]] = []
        self.forwarded: SimpleQueue[str] = SimpleQueue()

    def publish(self, message: OutboxMessage) -> Callable[[float, float], None]:
        def publish(timeout: float, patience: float) -> None:
            self.direct.append((message.message_id, round(timeout), patience))
            if self.error:
                raise self.error

        return publish

    def forward(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        if self.error:
            return [self.error] * len(messages)
        if self.held:
            assert self.held.wait(PATIENCE)
        for message in messages:
            self.forwarded.put(message.message_id)
        return [None] * len(messages)

    def got(self, number: int) -> list[str]:
        return [self.forwarded.get(timeout=PATIENCE) for _ in range(number)]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def opened() -> list[Journal]:
    """Every journal that was asked for, in order."""
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node" / "task_queue.db"


@pytest.fixture
def forwarder(
    path: Path, broker: Broker, opened: list[Journal], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Forwarder]:
    monkeypatch.setattr(forwarding, "PAUSE", 0.02)
    journal = Journal(path, node="n", worker="producer", free_floor=1)

    def asked() -> Journal:
        opened.append(journal)
        return journal

    forwarder = Forwarder(StoreAndForward(asked, path, patience=0.7), broker.forward, 5.0)
    yield forwarder
    forwarder.stop(0.0)
    forwarder.join(PATIENCE)
    journal.close()


def message(message_id: str) -> OutboxMessage:
    return OutboxMessage(message_id=message_id, task_name="a", queue_name="q", body=b"{}")


@pytest.fixture
def send(forwarder: Forwarder, broker: Broker) -> Callable[[str], None]:
    def send(message_id: str) -> None:
        owed = message(message_id)
        forwarder.send(owed, broker.publish(owed), timeout=30.0)

    return send


def idle(forwarder: Forwarder) -> None:
    """Wait until new messages go straight to the broker again; nobody is told of that."""
    end = time.monotonic() + PATIENCE
    while forwarder.pending or forwarder._thread is not None:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_the_broker_takes_opens_no_journal(send, broker, opened, path):
    send("a")
    assert broker.direct == [("a", 30, 0.7)]
    assert opened == []
    assert not path.parent.exists()


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), NotConfirmed("silent")])
def test_what_it_does_not_take_is_kept_and_goes_out_when_it_is_back(send, broker, forwarder, opened, error):
    broker.error = error
    send("a")
    assert opened[0].backlog() == 1
    broker.error = None
    assert broker.got(1) == ["a"]
    idle(forwarder)
    assert opened[0].backlog() == 0


def test_while_one_waits_the_others_go_behind_it_and_wait_for_nobody(send, broker, forwarder):
    broker.error = BrokerUnavailable("away")
    ids = [f"m{n}" for n in range(50)]
    for each in ids:
        send(each)
    assert broker.direct == [("m0", 30, 0.7)]  # only the first has waited
    broker.error = None
    assert broker.got(50) == ids
    idle(forwarder)
    send("later")
    assert broker.direct[1:] == [("later", 30, 0.7)]


def test_what_is_sent_while_older_ones_are_on_their_way_goes_behind_them(send, broker, forwarder):
    broker.error = BrokerUnavailable("away")
    send("a")
    broker.held = threading.Event()
    broker.error = None  # back, but slow
    for n in range(5):
        send(f"b{n}")
    broker.held.set()
    assert broker.got(6) == ["a", "b0", "b1", "b2", "b3", "b4"]
    assert [message_id for message_id, *_ in broker.direct] == ["a"]


def test_many_threads_lose_nothing_at_the_moment_when_it_comes_back(send, broker, forwarder):
    broker.error = BrokerUnavailable("away")
    send("first")
    accepted = [f"{thread}-{n}" for thread in range(8) for n in range(40)]

    def sender(thread: int) -> None:
        for n in range(40):
            if thread == n == 0:
                broker.error = None
            send(f"{thread}-{n}")

    threads = [threading.Thread(target=sender, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
    idle(forwarder)
    forwarded = [broker.forwarded.get() for _ in range(broker.forwarded.qsize())]
    direct = [message_id for message_id, *_ in broker.direct if message_id not in forwarded]
    assert sorted([*forwarded, *direct]) == sorted(["first", *accepted])
    for thread in range(8):
        own = [n for n in forwarded if n.startswith(f"{thread}-")]
        assert own == sorted(own, key=lambda name: int(name.split("-")[1]))


def test_what_is_kept_at_the_moment_when_nothing_waited_any_more_is_not_forgotten(
    send, broker, forwarder, opened, monkeypatch
):
    broker.error = BrokerUnavailable("away")
    send("a")
    backlog = opened[0].backlog
    moments = iter(["b"])

    def looked() -> int:
        found = backlog()
        for message_id in moments if not found else ():
            send(message_id)
        return found

    monkeypatch.setattr(opened[0], "backlog", looked)
    broker.error = None
    assert broker.got(2) == ["a", "b"]
    idle(forwarder)


def test_what_waiting_does_not_mend_is_raised_at_once_and_not_kept(send, broker, opened):
    broker.error = BrokerRefused("wrong password")
    with pytest.raises(BrokerRefused, match="wrong password"):
        send("a")
    assert opened == []


def test_what_can_be_neither_sent_nor_kept_is_an_error_that_says_both(send, broker, path):
    path.parent.write_text("a file where the folder should be")
    broker.error = BrokerUnavailable("RabbitMQ is away.")
    with pytest.raises(
        BrokerUnavailable, match=r"RabbitMQ is away\. Nor could it be kept to be sent later: The journal"
    ):
        send("a")
    assert broker.direct == [("a", 30, 0.7), ("a", 30, math.inf)]  # it has waited for the broker as ever


def test_a_message_that_may_have_arrived_and_cannot_be_kept_is_not_called_unsent(forwarder, path):
    path.parent.write_text("a file where the folder should be")
    errors = iter([NotConfirmed("It may or may not have arrived."), BrokerUnavailable("It was not sent.")])

    def publish(_timeout: float, _patience: float) -> None:
        raise next(errors)

    with pytest.raises(NotConfirmed, match="may or may not have arrived"):
        forwarder.send(message("a"), publish, timeout=30.0)


def test_where_nothing_can_be_kept_a_broker_that_comes_back_in_time_is_enough(forwarder, path):
    path.parent.write_text("a file where the folder should be")
    answers = iter([BrokerUnavailable("away"), None])

    def publish(_timeout: float, _patience: float) -> None:
        if error := next(answers):
            raise error

    forwarder.send(message("a"), publish, timeout=30.0)
    assert not forwarder.pending


def test_a_journal_that_fails_later_stops_nobody_who_can_reach_the_broker(send, broker, forwarder, opened):
    broker.error = BrokerUnavailable("away")
    send("a")
    opened[0].close()
    broker.error = None
    send("b")
    assert [message_id for message_id, *_ in broker.direct] == ["a", "b"]
    assert forwarder.pending


# --- what others have left


def leave(path: Path, *ids: str) -> None:
    journal = Journal(path, node="n", worker="dead", free_floor=1)
    for each in ids:
        journal.accept(message(each), "{}")
    journal.close()


def test_what_an_earlier_process_has_left_is_forwarded(path, forwarder, broker):
    leave(path, "a", "b")
    forwarder.forward_leftovers()
    assert broker.got(2) == ["a", "b"]
    idle(forwarder)


def test_a_journal_without_messages_is_looked_into_and_not_opened(path, forwarder, opened):
    leave(path)
    forwarder.forward_leftovers()
    idle(forwarder)
    assert opened == []


def test_without_a_journal_there_is_nothing_to_look_for(forwarder, path):
    forwarder.forward_leftovers()
    assert forwarder._thread is None
    assert not path.exists()


def test_a_damaged_journal_is_left_to_the_journal_which_puts_it_aside(path, forwarder, opened):
    path.parent.mkdir()
    path.write_bytes(b"noise" * 1000)
    forwarder.forward_leftovers()
    idle(forwarder)
    assert opened[0].health().quarantined


def test_while_another_process_forwards_new_messages_still_go_behind(send, broker, forwarder, opened):
    broker.error = BrokerUnavailable("away")
    send("a")
    while not opened[0].claim_outbox(claimant="another"):  # our own relay holds the lease for a moment
        time.sleep(0.001)
    broker.error = None
    looks = len(opened)
    end = time.monotonic() + PATIENCE
    while len(opened) < looks + 6:  # it has looked and found the lease taken
        assert forwarder.pending
        assert time.monotonic() < end
        time.sleep(0.005)
    send("b")
    assert broker.forwarded.empty()
    opened[0].released("another")
    assert broker.got(2) == ["a", "b"]


# --- refused


def test_what_is_refused_waits_apart_and_is_tried_again(send, broker, forwarder, opened, monkeypatch):
    monkeypatch.setattr(forwarding, "REFUSED_PAUSE", 0.02)
    broker.error = BrokerUnavailable("away")
    send("a")
    broker.error = BrokerRefused("no permission")
    end = time.monotonic() + PATIENCE
    while forwarder.pending:
        assert time.monotonic() < end
        time.sleep(0.005)
    with pytest.raises(BrokerRefused):
        send("b")  # told at once what is wrong
    assert opened[0].backlog() == 1
    broker.error = None
    assert broker.got(1) == ["a"]
    idle(forwarder)


# --- the end


def test_stopping_gives_what_waits_a_last_chance(send, broker, forwarder, opened):
    broker.error = BrokerUnavailable("away")
    for n in range(3):
        send(f"m{n}")
    back = threading.Timer(0.3, setattr, (broker, "error", None))
    back.start()
    forwarder.stop(PATIENCE)
    assert opened[0].backlog() == 0
    back.join()


def test_stopping_leaves_the_rest_to_the_next_process(send, broker, forwarder, opened):
    broker.error = BrokerUnavailable("away")
    send("a")
    forwarder.stop(0.05)
    forwarder.join(PATIENCE)
    assert opened[0].claim_outbox(claimant="next")  # which need not wait for the lease


def test_stopping_waits_for_what_an_earlier_process_has_left(path, forwarder, broker, opened):
    leave(path, "a")
    forwarder.forward_leftovers()
    forwarder.stop(PATIENCE)
    assert opened[0].backlog() == 0


def test_stopping_does_not_wait_for_what_is_refused(send, broker, forwarder):
    broker.error = BrokerUnavailable("away")
    send("a")
    broker.error = BrokerRefused("no permission")
    forwarder.stop(10 * PATIENCE)  # the test's own limit is shorter


def test_a_copy_in_a_forked_child_forwards_nothing(send, broker, forwarder, opened):
    broker.error = BrokerUnavailable("away")
    send("a")
    forwarder.abandon()
    broker.error = None
    forwarder.join(PATIENCE)
    assert not forwarder._thread.is_alive()
    assert broker.forwarded.empty()
    assert opened[0].backlog() == 1


def test_an_error_that_nobody_expected_does_not_leave_messages_stuck(
    send, broker, forwarder, opened, monkeypatch, caplog
):
    broker.error = BrokerUnavailable("away")
    send("a")
    backlog = opened[0].backlog
    failures = iter([RuntimeError("a bug")])

    def buggy() -> int:
        for error in failures:
            raise error
        return backlog()

    monkeypatch.setattr(opened[0], "backlog", buggy)
    broker.error = None
    assert broker.got(1) == ["a"]
    idle(forwarder)
    assert "forwarder.failed" in caplog.text
    assert "a bug" in caplog.text


# --- inside a message


def test_what_a_message_sends_is_its_workers_business(path):
    broker = RabbitBroker(
        url="amqp://127.0.0.1:1/",
        middleware=[],
        store_and_forward=StoreAndForward(lambda: pytest.fail("kept"), path, patience=0.5),
    )
    parent = Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={})
    outbox = Outbox(broker, (parent.message_id, 0, 0))
    outbox.open()
    follow_up = broker.enqueue(Message(queue_name="q", actor_name="b", args=(), kwargs={}, options={}))

    assert [owed.message_id for owed in outbox.close()] == [follow_up.message_id]
    assert not path.exists()
    broker.close()
