"""Attempts of the journals in the central database, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.central_node import START, Node, death

from growbin_jobs.engine.central.attempts import Attempts
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.forgetting import measure
from growbin_jobs.engine.delivery.records import Outcome
from growbin_jobs.engine.journal.tables import attempts as journal_attempts
from growbin_jobs.engine.journal.tables import dead_letters as journal_letters
from growbin_jobs.engine.keeper.minutes import ForgetOld


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

    known = [number for number in range(6) if Attempts(database).of_task(f"t{number}")]
    assert known == [0, 1, 2, 3, 5]


def test_texts_that_postgresql_cannot_store_are_mended(database: Database, a: Node) -> None:
    a.ended("t", "dead", 1, error="a\0b", dead=death(1, error="a\0b", body=b"\xff\0no json"))
    a.copy()

    assert Attempts(database).of_task("t")[0].error == "a\ufffdb"
    [letter] = DeadLetters(database).of_task("t")
    letter = DeadLetters(database).get(letter.id)
    assert (letter.error, letter.body) == ("a\ufffdb", b"\xff\0no json")


def test_attempts_go_once_their_task_is_gone(database: Database, a: Node) -> None:
    for name in ("t", "u"):
        a.ended(name, "failed", 1)
        a.ended(name, "failed", 5000)
    a.copy()
    database.run(lambda connection: connection.execute_sql("DELETE FROM tasks WHERE task_id = 't'"))

    old = ForgetOld(database, tasks=timedelta(0), letters=timedelta(0), minutes=timedelta(0))
    now = START + timedelta(seconds=1000)
    [attempts] = [each for each in old.old_rows(now) if each.table == "task_attempts"]
    measured = measure(database, attempts)
    assert (measured.rows, measured.size > 50) == (1, True)
    assert old(now)["task_attempts"] == 1
    assert [len(Attempts(database).of_task(name)) for name in ("t", "u")] == [1, 2]


def test_of_a_task_that_never_ends_the_newest_attempts_are_read(database: Database, a: Node, b: Node) -> None:
    for second in range(1, 41):
        node = (a, a, b)[second % 3]
        node.ended("t", "failed", second, error=str(second))
    a.copy()
    b.copy()

    found = Attempts(database).of_task("t", most=5)
    assert [(each.number, each.error) for each in found] == [(number, str(number)) for number in range(36, 41)]
    assert len(Attempts(database).of_task("t")) == 40
