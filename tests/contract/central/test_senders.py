"""Who sent which message, and what nobody has started, in the central database; on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from dramatiq import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.central_node import START, Node
from tests.whole import examples

from growbin_jobs.engine.central.conservation import living_payloads
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.first_messages import tell_sent
from growbin_jobs.engine.central.sync import Copied
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Deferred


def test_a_message_that_nobody_has_started_is_pending_with_its_due_time(database: Database, a: Node) -> None:
    a.sent("t", "child", 1, due=600)
    a.copy()

    found = Tasks(database).get("child")
    assert found is not None
    assert (found.status, found.parent_id, found.root_id) == (TaskState.PENDING, "t", "t")
    assert (found.due_at, found.task_name, found.queue_name) == (START + timedelta(seconds=600), "classify", "vision")
    assert found.payload == {"args": ["child"]}
    assert a.journal.read(lambda connection: connection.execute("SELECT count(*) FROM sent").get) == 0


def test_a_message_that_was_sent_a_moment_ago_waits_for_its_own_task(
    database: Database, new_node: Callable[..., Node]
) -> None:
    a = new_node("a", patience=2000)
    a.sent("t", "child", 1)
    assert a.copy() == Copied(rows=1, fresh=1)
    assert Tasks(database).get("child") is None

    a.ended("child", "completed", 2)
    assert a.copy() == Copied(rows=1)

    found = Tasks(database).get("child")
    assert found is not None
    assert (found.status, found.parent_id, found.root_id) == (TaskState.COMPLETED, "t", "t")
    assert not a.copy()


@pytest.mark.parametrize("why", ["it has waited", "the clock was set back", "everything is asked for"])
def test_it_waits_no_longer_than_it_may(database: Database, new_node: Callable[..., Node], why: str) -> None:
    a = new_node("a", patience=2000 if why == "everything is asked for" else 500)
    a.sent("t", "child", 2000 if why == "the clock was set back" else 1)

    assert a.sync.run_once(everything=why == "everything is asked for") == Copied(rows=1)

    found = Tasks(database).get("child")
    assert found is not None
    assert (found.status, found.parent_id) == (TaskState.PENDING, "t")


def test_its_own_retry_is_no_new_message(database: Database, a: Node) -> None:
    a.sent("t", "t", 1)
    a.copy()

    found = Tasks(database).get("t")
    assert found is not None
    assert (found.status, found.parent_id) == (TaskState.COMPLETED, None)


@pytest.mark.parametrize("sender_first", [True, False])
def test_a_task_of_another_node_learns_who_sent_it_whoever_tells_first(
    database: Database, a: Node, b: Node, sender_first: bool
) -> None:
    a.sent("t", "child", 1)
    b.started("child", 2)
    first, second = (a, b) if sender_first else (b, a)
    first.copy()
    second.copy()

    found = Tasks(database).get("child")
    assert found is not None
    assert (found.status, found.node, found.parent_id, found.root_id) == (TaskState.RUNNING, "b", "t", "t")
    b.ended("child", "completed", 3)
    b.copy()
    ended = Tasks(database).get("child")
    assert ended is not None
    assert (ended.status, ended.parent_id) == (TaskState.COMPLETED, "t")


@pytest.mark.parametrize("producer", ["a", "elsewhere"])
def test_what_a_producer_tells_itself_is_pending_until_anybody_knows_more(
    database: Database, a: Node, producer: str
) -> None:
    message = Message("vision", "classify", ("\0\ud800",), {}, {}, message_id="first", message_timestamp=1_000)
    tell_sent(database, message, node=producer)
    told = Tasks(database).get("first")
    assert told is not None
    assert (told.status, told.node, told.task_name) == (TaskState.PENDING, producer, "classify")
    assert list(living_payloads(database)) == [], "nobody has had it from the broker"

    a.started("first", 1)
    a.copy()
    tell_sent(database, message, node=producer)  # too late, or sent twice

    found = Tasks(database).get("first")
    assert found is not None
    assert (found.status, found.node) == (TaskState.RUNNING, "a")


def test_a_chain_on_one_node_leads_to_its_first_task(database: Database, a: Node) -> None:
    for second, (parent, child) in enumerate([("t1", "t2"), ("t2", "t3"), ("t3", "t4")]):
        a.sent(parent, child, second + 1)
    assert a.copy() == Copied(rows=3)

    family = Tasks(database).family("t1")
    assert [(each.task_id, each.parent_id, each.root_id) for each in family] == [
        ("t1", None, None), ("t2", "t1", "t1"), ("t3", "t2", "t1"), ("t4", "t3", "t1"),
    ]  # fmt: skip


@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(order=st.permutations(range(5)), nodes=st.lists(st.integers(0, 1), min_size=5, max_size=5))
def test_a_chain_over_nodes_leads_to_its_first_task_in_whatever_order_they_tell(
    database: Database, a: Node, b: Node, order: list[int], nodes: list[int]
) -> None:
    chain = [f"{uuid4().hex}-{number}" for number in range(6)]
    for step in order:
        node = (a, b)[nodes[step]]
        node.sent(chain[step], chain[step + 1], step + 1)
        node.copy()

    family = {each.task_id: (each.parent_id, each.root_id) for each in Tasks(database).family(chain[0])}
    assert family == {chain[0]: (None, None)} | {
        child: (parent, chain[0]) for parent, child in itertools.pairwise(chain)
    }


def test_tasks_that_send_each_other_in_a_circle_end_somewhere(database: Database, a: Node) -> None:
    a.sent("t", "u", 1)
    a.sent("u", "t", 2)
    a.copy()

    found = {each.task_id: each.parent_id for each in Tasks(database).get_many(["t", "u"])}
    assert found == {"t": "u", "u": "t"}


def test_senders_are_told_again_after_a_kill(database: Database, a: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    a.sent("t", "child", 1)

    def away(_work: Any) -> Any:
        raise Deferred("the database is away", wait=1.0)  # the page is there, and the senders are not

    with monkeypatch.context() as patch:
        patch.setattr(database, "transaction", away)
        with pytest.raises(Deferred):
            a.copy()
    assert Tasks(database).get("t") is not None
    assert Tasks(database).get("child") is None

    a.copy()

    found = Tasks(database).get("child")
    assert found is not None
    assert found.parent_id == "t"


def test_a_row_that_was_not_taken_learns_its_sender_all_the_same(database: Database, a: Node, b: Node) -> None:
    b.ended("child", "completed", 5)
    b.copy()
    a.sent("t", "child", 1)
    a.started("child", 2)  # a delivery that another node has ended first

    a.copy()

    found = Tasks(database).get("child")
    assert found is not None
    assert (found.status, found.node, found.parent_id) == (TaskState.COMPLETED, "b", "t")
