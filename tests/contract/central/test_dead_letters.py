"""Dead letters of the journals in the central database, and who decides about them; on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.central_node import MESSAGE, START, Node, death

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letter_rows import Action
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.errors import NotFound
from growbin_jobs.engine.journal.tables import dead_letters as journal_letters
from growbin_jobs.engine.keeper.minutes import ForgetOld


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
    age = timedelta(0)
    assert ForgetOld(database, tasks=age, letters=age, minutes=age)(since)["dead_letters"] == 4


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
