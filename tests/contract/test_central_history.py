"""What the central database knows beside a task's last word: attempts, dead letters, senders; on both databases."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.central_node import START, Node

from growbin_jobs.engine.central.attempts import Attempts
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.sync import Copied
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.delivery.records import Dead, Outcome, TaskState
from growbin_jobs.engine.errors import Deferred, NotFound
from growbin_jobs.engine.journal.tables import attempts as journal_attempts
from growbin_jobs.engine.journal.tables import dead_letters as journal_letters

MESSAGE = json.dumps(
    {
        "queue_name": "user_input", "actor_name": "upload_image", "args": [1], "kwargs": {}, "message_id": "t",
        "options": {"retries": 2}, "message_timestamp": 1,
    }
).encode()  # fmt: skip


@pytest.fixture
def new_node(tmp_path: Path, database: Database) -> Iterator[Callable[..., Node]]:
    made: list[Node] = []

    def make(name: str, **options: Any) -> Node:
        made.append(Node(tmp_path, name, Tasks(database), **options))
        return made[-1]

    yield make
    for node in made:
        node.journal.close()


@pytest.fixture
def a(new_node: Callable[..., Node]) -> Node:
    return new_node("a")


@pytest.fixture
def b(new_node: Callable[..., Node]) -> Node:
    return new_node("b")


def death(second: float, **changes: Any) -> Dead:
    at = START.timestamp() + second
    dead = Dead(
        body=MESSAGE, code="retries_exhausted", params='{"attempts": 3}', error="ValueError", traceback="app.py:7 in f",
        died_at=at,
    )  # fmt: skip
    return dataclasses.replace(dead, **changes)


# --- attempts


def test_each_attempt_of_a_task_is_known_with_its_node_and_the_last_ones_traceback(
    database: Database, a: Node, b: Node
) -> None:
    a.ended("t", "failed", 10, error="ValueError", created_at=START.timestamp() + 8, due_at=START.timestamp() + 12)
    b.crashed("t", 20)
    b.ended("t", "dead", 30, dead=death(30), retry_count=2, deferrals=1)
    a.copy()
    b.copy()

    first, second, third = Attempts(database).of_task("t")

    assert (first.number, first.node, first.outcome, first.error) == (1, "a", Outcome.FAILED, "ValueError")
    assert (first.started_at, first.ended_at) == (START + timedelta(seconds=9.5), START + timedelta(seconds=10))
    assert (first.due_at, first.waited, first.retry_count) == (START + timedelta(seconds=12), 1.5, 0)
    assert (first.task_name, first.queue_name, first.traceback) == ("upload_image", "user_input", "")
    assert (second.number, second.outcome, second.started_at, second.worker) == (2, Outcome.CRASHED, None, None)
    assert (third.number, third.outcome, third.traceback, third.waited) == (3, Outcome.DEAD, "app.py:7 in f", None)
    assert (third.retry_count, third.deferrals) == (2, 1)
    assert json.loads(json.dumps(third.as_dict()))["outcome"] == "dead"


def test_an_attempt_that_is_copied_twice_is_there_once(database: Database, a: Node) -> None:
    for second in (1, 2, 3):
        a.ended("t", "failed", second)
    a.copy()
    a.journal.write(lambda connection: connection.execute("UPDATE attempt SET copied_at = NULL"))
    assert a.sync.backlog().rows == 3

    a.copy()

    assert [each.number for each in Attempts(database).of_task("t")] == [1, 2, 3]
    assert a.sync.backlog().rows == 0


def test_what_was_committed_before_a_kill_is_marked_by_the_next_run(
    database: Database, a: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    a.ended("t", "dead", 1, dead=death(1))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal_attempts, "mark", killed)
        with pytest.raises(KeyboardInterrupt):
            a.copy()
    with monkeypatch.context() as patch:
        patch.setattr(journal_letters, "mark", killed)
        with pytest.raises(KeyboardInterrupt):
            a.copy()
    a.copy()

    assert len(Attempts(database).of_task("t")) == 1
    assert len(DeadLetters(database).list()) == 1
    assert a.sync.backlog().rows == 0


@pytest.mark.parametrize("pages", [1, 3])
def test_an_attempt_that_the_database_refuses_holds_no_other_up(
    database: Database, a: Node, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr("growbin_jobs.engine.central.history_copy.ATTEMPTS", 6 // pages)
    for number in range(4):
        a.ended(f"t{number}", "failed", number + 1)
    a.ended("x" * 2000, "failed", 5)
    a.ended("t5", "failed", 6)

    a.copy()

    known = Attempts(database).of_tasks([f"t{number}" for number in range(6)])
    assert sorted(known) == ["t0", "t1", "t2", "t3", "t5"]


def test_texts_that_postgresql_cannot_store_are_mended(database: Database, a: Node) -> None:
    a.ended("t", "dead", 1, error="a\0b", dead=death(1, error="a\0b", body=b"\xff\0no json"))
    a.copy()

    assert Attempts(database).of_task("t")[0].error == "a\ufffdb"
    [letter] = DeadLetters(database).of_task("t")
    assert (letter.error, letter.body) == ("a\ufffdb", b"\xff\0no json")


def test_attempts_go_once_their_task_is_gone(database: Database, a: Node) -> None:
    for name in ("t", "u"):
        a.ended(name, "failed", 1)
        a.ended(name, "failed", 5000)
    a.copy()
    database.run(lambda connection: connection.execute_sql("DELETE FROM tasks WHERE task_id = 't'"))

    assert Attempts(database).forget(ended_before=START + timedelta(seconds=1000)) == 1
    left = Attempts(database).of_tasks(["t", "u"])
    assert {name: len(found) for name, found in left.items()} == {"t": 1, "u": 2}


# --- dead letters


def test_a_dead_letter_comes_with_all_that_is_needed_to_send_it_again(database: Database, a: Node) -> None:
    a.ended("t", "dead", 1, dead=death(1))
    a.copy()

    [listed] = DeadLetters(database).list()
    assert listed.body == b""
    letter = DeadLetters(database).get(listed.id)
    assert (letter.node, letter.task_id, letter.task_name, letter.queue_name) == (
        "a",
        "t",
        "upload_image",
        "user_input",
    )
    assert (letter.body, letter.code, letter.params) == (MESSAGE, "retries_exhausted", '{"attempts": 3}')
    assert (letter.error, letter.traceback, letter.died_at) == (
        "ValueError",
        "app.py:7 in f",
        START + timedelta(seconds=1),
    )
    assert letter.is_open
    assert json.loads(letter.body_to_send())["options"] == {"retries": 0, "deferrals": 1}
    assert json.loads(json.dumps(letter.as_dict()))["died_at"] == "2026-11-21T12:00:01+00:00"
    with pytest.raises(NotFound, match="no dead letter nobody"):
        DeadLetters(database).get("nobody")


def test_what_a_person_does_on_the_node_arrives(database: Database, a: Node) -> None:
    for name in ("t", "u"):
        a.ended(name, "dead", 1, dead=death(1))
    a.copy()
    a.retried_by_a_person(1)
    a.journal.write(lambda connection: journal_letters.discard(connection, 2, now=START.timestamp() + 9))
    a.copy()

    letters = DeadLetters(database)
    assert letters.list() == []
    found = {each.task_id: each for each in letters.list(dealt_with=True)}
    assert found["t"].retried_at == START
    assert found["u"].discarded_at == START + timedelta(seconds=9)
    assert letters.count_open() == 0


def test_a_letter_that_changes_while_it_is_copied_is_copied_again(
    database: Database, a: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    a.ended("t", "dead", 1, dead=death(1))
    mark = journal_letters.mark

    def meanwhile(connection: Any, numbers: Any, *, at: float) -> None:
        journal_letters.discard(connection, 1, now=at)
        mark(connection, numbers, at=at)
        monkeypatch.undo()

    monkeypatch.setattr(journal_letters, "mark", meanwhile)
    a.copy()
    a.copy()

    assert DeadLetters(database).list() == []


def test_of_many_who_decide_at_once_one_does(database: Database, a: Node) -> None:
    a.ended("t", "dead", 1, dead=death(1))
    a.copy()
    [letter] = DeadLetters(database).list()
    begin, won = threading.Barrier(4), []

    def decide(number: int) -> None:
        begin.wait(10)
        if DeadLetters(database).mark(letter.id, Action.RETRY, by=f"person {number}", at=START):
            won.append(number)

    people = [threading.Thread(target=decide, args=(number,)) for number in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join(30)

    assert len(won) == 1
    taken = DeadLetters(database).get(letter.id)
    assert (taken.taken_by, taken.taken_to, taken.is_open) == (f"person {won[0]}", Action.RETRY, False)
    assert DeadLetters(database).list() == []


def test_a_decision_survives_the_copy_and_not_another_death(database: Database, a: Node) -> None:
    letters = DeadLetters(database)
    a.ended("t", "dead", 1, dead=death(1))
    a.copy()
    [letter] = letters.list()
    letters.mark(letter.id, Action.DISCARD, by="kim", at=START)
    a.journal.write(lambda connection: connection.execute("UPDATE dead_letter SET error = 'the same death'"))
    a.copy()
    assert letters.get(letter.id).taken_by == "kim"

    a.ended("t", "dead", 50, dead=death(50))
    a.copy()

    again = letters.get(letter.id)
    assert (again.taken_by, again.is_open, again.died_at) == (None, True, START + timedelta(seconds=50))
    letters.done(letter, at=START)  # who has carried the first decision out comes late
    assert letters.get(letter.id).is_open


def test_what_is_no_message_can_be_discarded_only(database: Database, a: Node) -> None:
    a.ended("t", "dead", 1, dead=death(1, body=b"no message"))
    a.copy()
    letters = DeadLetters(database)
    [letter] = letters.list()

    with pytest.raises(NotFound, match="Discard it"):
        letters.mark(letter.id, Action.RETRY, by="kim", at=START)
    assert letters.mark(letter.id, Action.DISCARD, by="kim", at=START)


def test_letters_are_filtered_and_paged(database: Database, a: Node, b: Node) -> None:
    for number in range(6):
        node = (a, b)[number % 2]
        node.ended(f"t{number}", "dead", 1 + number // 2, dead=death(1 + number // 2), queue_name=f"q{number % 3}")
    a.copy()
    b.copy()
    letters = DeadLetters(database)

    assert {each.task_id for each in letters.list(node="a")} == {"t0", "t2", "t4"}
    assert {each.task_id for each in letters.list(queue="q0")} == {"t0", "t3"}
    since = START + timedelta(seconds=3)
    assert {each.task_id for each in letters.list(since=since)} == {"t4", "t5"}
    seen: list[str] = []
    below = None
    while page := letters.list(below=below, limit=1):  # two died in the same moment
        seen.append(page[0].task_id)
        below = page[0].died_at, page[0].id
    assert sorted(seen) == [f"t{number}" for number in range(6)]
    assert letters.forget(died_before=since) == 4


def test_a_new_journal_s_letters_do_not_replace_those_of_the_one_before(
    database: Database, new_node: Callable[..., Node]
) -> None:
    first = new_node("a")
    first.ended("t", "dead", 1, dead=death(1))
    first.copy()
    first.journal.close()
    for path in first.journal.path.parent.glob("task_queue.db*"):
        path.unlink()
    second = new_node("a")
    second.ended("u", "dead", 2, dead=death(2))
    second.copy()

    assert {each.task_id for each in DeadLetters(database).list()} == {"t", "u"}


# --- who sent what, and what nobody has started


def test_a_message_that_nobody_has_started_is_pending_with_its_due_time(database: Database, a: Node) -> None:
    a.sent("t", "child", 1, due=600)
    a.copy()

    found = Tasks(database).get("child")
    assert found is not None
    assert (found.status, found.parent_id, found.root_id) == (TaskState.PENDING, "t", "t")
    assert (found.due_at, found.task_name, found.queue_name) == (START + timedelta(seconds=600), "classify", "vision")
    assert found.payload == {"args": ["child"]}
    assert a.journal.read(lambda connection: connection.execute("SELECT count(*) FROM sent").get) == 0


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


def test_a_chain_on_one_node_leads_to_its_first_task(database: Database, a: Node) -> None:
    for second, (parent, child) in enumerate([("t1", "t2"), ("t2", "t3"), ("t3", "t4")]):
        a.sent(parent, child, second + 1)
    assert a.copy() == Copied(rows=3)

    family = Tasks(database).family("t1")
    assert [(each.task_id, each.parent_id, each.root_id) for each in family] == [
        ("t1", None, None), ("t2", "t1", "t1"), ("t3", "t2", "t1"), ("t4", "t3", "t1"),
    ]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    transaction = database.transaction
    calls: list[int] = []

    def away(work: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:  # the page is there, and the senders are not
            raise Deferred("the database is away", wait=1.0)
        return transaction(work)

    with monkeypatch.context() as patch:
        patch.setattr(database, "transaction", away)
        with pytest.raises(Deferred):
            a.copy()
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
