"""What is owed goes out in order; what fails holds up as little as it may."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from growbin_jobs.engine.broker.errors import (
    BrokerRefused,
    BrokerUnavailable,
    NotConfirmed,
    QueueMismatch,
    QueueMissing,
)
from growbin_jobs.engine.delivery.records import OutboxMessage
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.forwarding.relay import PAGE, RENEWAL, Relay, Relayed
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import reader


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "task_queue.db", node="n", worker="test", free_floor=1)
    yield journal
    journal.close()


class Broker:
    """Confirms, unless a message's id or queue stands for an error."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.errors: dict[str, Exception] = {}

    def __call__(self, messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        self.batches.append([message.message_id for message in messages])
        return [self.errors.get(message.message_id) or self.errors.get(message.queue_name) for message in messages]

    @property
    def taken(self) -> list[str]:
        return [message_id for batch in self.batches for message_id in batch if message_id not in self.errors]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def accept(journal: Journal, *ids: str, queue: str = "q") -> None:
    for message_id in ids:
        journal.accept(OutboxMessage(message_id=message_id, task_name="a", queue_name=queue, body=b"{}"), "{}")


def relay(journal: Journal, publish: Callable[..., Sequence[Exception | None]], **options: int) -> Relayed:
    return Relay(journal, publish, claimant="me", patience=5.0, **options).run(math.inf)


def left(journal: Journal) -> list[str]:
    """What is still owed, as the next relay finds it."""
    found = [message.message_id for message in journal.claim_outbox(claimant="next")]
    journal.released("next")
    return found


def error_of(journal: Journal, message_id: str) -> str | None:
    task = journal.read(lambda connection: reader.task(connection, message_id))
    assert task is not None
    assert task.status == "pending"
    return task.error


def test_all_pages_in_order_the_first_message_alone(journal, broker):
    ids = [f"m{n:03}" for n in range(PAGE + 50)]
    accept(journal, *ids)

    assert relay(journal, broker) == Relayed(sent=PAGE + 50)

    assert broker.taken == ids
    assert [len(batch) for batch in broker.batches] == [1, PAGE - 1, 50]
    assert left(journal) == []


def test_while_nothing_is_confirmed_one_message_is_tried_and_not_a_page(journal, broker):
    # A RabbitMQ that only reads gets each try: when it wakes, what was tried ten times arrives ten times.
    accept(journal, "a", "b", "c")
    accept(journal, "other", queue="q2")
    broker.errors = {queue: NotConfirmed("silent") for queue in ("q", "q2")}

    assert relay(journal, broker) == Relayed()

    assert broker.batches == [["a"], ["other"]]
    assert left(journal) == ["a", "b", "c", "other"]


def test_a_broker_that_is_away_ends_it_at_once(journal, broker):
    accept(journal, "a", "b", "c")
    broker.errors = {"b": BrokerUnavailable("gone"), "c": BrokerUnavailable("gone")}

    with pytest.raises(BrokerUnavailable):
        relay(journal, broker)

    assert left(journal) == ["b", "c"]  # and the lease is free


def test_a_journal_that_is_away_ends_it_too(journal, broker):
    accept(journal, "a")
    journal.close()
    with pytest.raises(Deferred, match="cannot be used"):
        relay(journal, broker)
    assert broker.batches == []


@pytest.mark.parametrize("error", [QueueMismatch("other arguments"), BrokerRefused("no permission")])
def test_a_queue_that_refuses_holds_up_no_other_and_says_why(journal, broker, error):
    accept(journal, "a", "b", queue="wrong")
    accept(journal, "c")
    accept(journal, "d", queue="wrong")
    broker.errors["wrong"] = error

    assert relay(journal, broker) == Relayed(sent=1, refused=3)

    assert broker.batches == [["a"], ["c"]]  # b and d would be refused too, and must not overtake
    assert left(journal) == ["a", "b", "d"]
    assert error_of(journal, "a") == str(error)


def test_when_it_is_mended_the_rest_follows_in_order(journal, broker):
    accept(journal, "a", "b", queue="wrong")
    broker.errors["wrong"] = QueueMismatch("other arguments")
    relay(journal, broker)
    broker.errors.clear()
    broker.batches.clear()

    assert relay(journal, broker) == Relayed(sent=2)
    assert broker.batches == [["a"], ["b"]]


@pytest.mark.parametrize("error", [NotConfirmed("slow"), QueueMissing("deleted")])
def test_a_queue_in_passing_trouble_holds_up_no_other_and_is_not_called_refused(journal, broker, error):
    accept(journal, "a", "b", queue="sick")
    accept(journal, "c")
    broker.errors["sick"] = error

    assert relay(journal, broker) == Relayed(sent=1)
    assert left(journal) == ["a", "b"]
    assert error_of(journal, "a") is None


def test_a_message_that_cannot_be_encoded_holds_up_none_of_its_queue(journal, broker, caplog):
    accept(journal, "a", "b", "c")
    broker.errors["b"] = ValueError("too long a word")

    assert relay(journal, broker) == Relayed(sent=2, refused=1)

    assert left(journal) == ["b"]
    assert error_of(journal, "b") == "too long a word"
    assert "relay.message_refused id=b queue=q" in caplog.text


def test_nothing_while_another_relay_is_at_it(journal, broker):
    accept(journal, "a")
    assert journal.claim_outbox(claimant="another")

    assert relay(journal, broker) == Relayed()
    assert broker.batches == []


def test_the_lease_is_renewed_however_slow_the_broker_is(journal, broker, monkeypatch):
    for n in range(5):
        accept(journal, f"m{n}", queue=f"sick{n}")
        broker.errors[f"sick{n}"] = NotConfirmed("silent")
    accept(journal, *(f"n{n:03}" for n in range(2 * PAGE)))
    renewed: list[float] = []
    clock = [0.0]
    claim_outbox = journal.claim_outbox

    def claimed(**options: object) -> list[OutboxMessage]:
        renewed.append(clock[0])
        return claim_outbox(**options)

    def slowly(messages: Sequence[OutboxMessage]) -> list[Exception | None]:
        clock[0] += 3.0
        return broker(messages)

    monkeypatch.setattr(journal, "claim_outbox", claimed)
    assert Relay(journal, slowly, claimant="me", patience=3.0, clock=lambda: clock[0]).run(math.inf).sent == 2 * PAGE

    assert clock[0] >= 5 * 3.0
    assert max(later - earlier for earlier, later in itertools.pairwise(renewed)) <= 3.0 + RENEWAL
    assert left(journal) == [f"m{n}" for n in range(5)]


def test_a_copy_in_a_forked_child_leaves_the_lease_to_its_parent(journal, broker):
    accept(journal, "a")
    broker.errors["a"] = BrokerUnavailable("abandoned")
    here = Relay(journal, broker, claimant="me", patience=5.0)
    here._pid += 1

    with pytest.raises(BrokerUnavailable):
        here.run(math.inf)

    assert journal.claim_outbox(claimant="next") == []
    assert journal.claim_outbox(claimant="me")
