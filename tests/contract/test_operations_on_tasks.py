"""Retry, run again, edit and run, discard: what people do to tasks, with the keepers of two nodes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.reruns import Kind, Rerun, Reruns
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import SILENCE, WorkerGroup, Workers
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.delivery.records import Dead, Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import dead_letters, outbox, tasks
from growbin_jobs.engine.keeper.send_reruns import SendReruns
from growbin_jobs.engine.keeper.taken_letters import TakenLetters
from growbin_jobs.errors import Conflict, GrowbinError, NotFound
from growbin_jobs.operations import letter_verbs, reruns

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def analyze(analysis_id: str, s3_path: str) -> None:
    """An actor's signature."""


def function_of(name: str) -> Callable[..., Any] | None:
    return {"analyze_image": analyze}.get(name)


def body(task_id: str, **options: Any) -> bytes:
    message = {
        "queue_name": "vision_analysis", "actor_name": "analyze_image", "args": ["a1", "s3://b/k"], "kwargs": {},
        "options": {"retries": 3, "language": "ko", "broker_priority": 7, **options}, "message_id": task_id,
        "message_timestamp": 1,
    }  # fmt: skip
    return json.dumps(message).encode()


class Node:
    """A journal, its copy, and the keeper's jobs for decisions of people."""

    def __init__(self, folder: Path, name: str, database: Database, clock: list[float]) -> None:
        self.name, self.database, self.clock = name, database, clock
        self.journal = Journal(folder / name / "task_queue.db", node=name, worker="keeper", free_floor=1)
        self.sync = Sync(self.journal, Tasks(database))
        lost = Lost(database, embedded=False)
        self.letters = TakenLetters(self.journal, DeadLetters(database), lost, lambda: None, clock=lambda: clock[0])
        self.reruns = SendReruns(self.journal, Reruns(database), lost, lambda: None, clock=lambda: clock[0])

    def beat(self) -> None:
        at = datetime.fromtimestamp(self.clock[0], UTC)
        group = WorkerGroup(
            node=self.name, group_name="g", version="1", pids=[1], processes=1, threads=1, queues=["q"], running=0,
            unsynced=0, owed=0, lag=0.0, started_at=at, seen_at=at,
        )  # fmt: skip
        Workers(self.database).report(self.name, [group], unsynced=0, owed=0, at=at)

    def ends(self, task_id: str, state: TaskState, **fields: Any) -> None:
        at, text = START.timestamp(), body(task_id)
        dead = Dead(body=text, code="retries_exhausted", params="{}", error="e", traceback="t", died_at=at)
        end = Finish(
            task_id=task_id, task_name="analyze_image", queue_name="vision_analysis", payload=text.decode(),
            state=state, worker="w", started_at=at, completed_at=at, dead=dead if state is TaskState.DEAD else None,
            **fields,
        )  # fmt: skip
        self.journal.write(lambda connection: tasks.finish(connection, end))
        self.sync.run_once()

    def messages(self) -> list[OutboxMessage]:
        return self.journal.write(
            lambda connection: outbox.claim(
                connection, limit=100, after=0, older_than=0, claimant="test", lease=0, now=self.clock[0]
            )
        )


@pytest.fixture
def clock() -> list[float]:
    return [START.timestamp() + 10]


@pytest.fixture
def nodes(tmp_path: Path, database: Database, clock: list[float]) -> Iterator[list[Node]]:
    made = [Node(tmp_path, name, database, clock) for name in ("a", "b")]
    for node in made:
        node.beat()
    yield made
    for node in made:
        node.journal.close()


def at_once(count: int, act: Callable[[int], Any]) -> tuple[list[Any], list[GrowbinError]]:
    """Let so many people act at the same moment; return what some got, and what the others were told."""
    gate, done, told = threading.Barrier(count), [], []  # type: ignore[var-annotated]

    def person(number: int) -> None:
        gate.wait()
        try:
            done.append(act(number))
        except Conflict as error:
            told.append(error)

    threads = [threading.Thread(target=person, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done, told


# --- retry


def test_of_twenty_who_retry_at_once_one_gets_a_run_and_the_others_are_told_who(database, nodes):
    a, b = nodes
    a.ends("t", TaskState.DEAD)

    done, told = at_once(20, lambda number: letter_verbs.retry_task(database, "t", by=f"person-{number}"))

    assert (len(done), len(told)) == (1, 19)
    assert {str(error).split(" has let")[0] for error in told} == {done[0].by}
    assert (a.letters.run_once(), b.letters.run_once()) == ({"carried_out": 1}, {})
    [message] = a.messages()
    options = json.loads(message.body)["options"]
    assert (message.message_id, options["retries"]) == ("t", 0)
    assert (options["language"], options["broker_priority"]) == ("ko", 7)
    assert a.journal.read(dead_letters.find) == []


def test_a_letter_of_a_node_that_is_gone_is_sent_by_another_one(database, nodes, clock):
    a, b = nodes
    a.ends("t", TaskState.DEAD)
    clock[0] += SILENCE.total_seconds() + 1
    b.beat()

    letter_verbs.retry_task(database, "t", by="kim")

    assert b.letters.run_once() == {"carried_out": 1}
    assert [each.message_id for each in b.messages()] == ["t"]


@pytest.mark.parametrize(
    ("state", "fields", "sentence"),
    [
        (TaskState.COMPLETED, {}, "It has completed.*Run it again"),
        (TaskState.FAILED, {"due_at": START.timestamp() + 60}, "It is retried by itself at 12:01:00 UTC"),
    ],
)
def test_what_is_not_dead_is_not_retried_and_the_sentence_says_what_to_do(database, nodes, state, fields, sentence):
    nodes[0].ends("t", state, **fields)

    with pytest.raises(Conflict, match=sentence):
        letter_verbs.retry_task(database, "t", by="kim")
    with pytest.raises(NotFound):
        letter_verbs.retry_task(database, "never", by="kim")


# --- discard


def test_a_discard_has_no_effect_for_a_while_and_is_taken_back(database, nodes, clock):
    a, _ = nodes
    a.ends("t", TaskState.DEAD)
    now = datetime.fromtimestamp(clock[0], UTC)
    letter = letter_verbs.letter_of_task(database, "t").id

    decided = letter_verbs.discard(database, letter, by="kim", now=now)

    assert decided.undo_until == now + timedelta(seconds=30)
    clock[0] += 29
    assert a.letters.run_once() == {}
    assert letter_verbs.undo_discard(database, letter, now=now + timedelta(seconds=29)).is_open
    with pytest.raises(Conflict, match="Nobody has decided"):
        letter_verbs.undo_discard(database, letter, now=now)


def test_a_discard_that_had_its_effect_is_not_taken_back(database, nodes, clock):
    a, _ = nodes
    a.ends("t", TaskState.DEAD)
    now = datetime.fromtimestamp(clock[0], UTC)
    letter = letter_verbs.discard(database, letter_verbs.letter_of_task(database, "t").id, by="kim", now=now).letter_id
    clock[0] += 31

    with pytest.raises(Conflict, match="too late"):
        letter_verbs.undo_discard(database, letter, now=now + timedelta(seconds=31))
    assert a.letters.run_once() == {"carried_out": 1}
    assert a.messages() == []
    with pytest.raises(Conflict, match="kim has discarded it"):
        letter_verbs.retry(database, letter, by="lee")


# --- run again


def test_a_completed_task_runs_again_under_a_new_id_and_both_say_so(database, nodes):
    a, b = nodes
    a.ends("t", TaskState.COMPLETED)

    made = reruns.run_again(database, "t", by="kim", reason="doubtful")

    assert a.reruns.run_once() == {"sent": 1}
    assert b.reruns.run_once() == {}
    [message] = a.messages()
    sent = json.loads(message.body)
    assert (message.message_id, sent["message_id"], sent["args"]) == (made.task_id, made.task_id, ["a1", "s3://b/k"])
    assert sent["options"] == {"language": "ko", "broker_priority": 7}
    assert [each.task_id for each in reruns.links_of(database, "t").later] == [made.task_id]
    origin = reruns.links_of(database, made.task_id).origin
    assert origin is not None
    assert (origin.rerun_of, origin.by, origin.kind) == ("t", "kim", Kind.AGAIN)


def test_of_twenty_who_run_it_again_at_once_one_gets_a_task(database, nodes):
    nodes[0].ends("t", TaskState.COMPLETED)

    done, told = at_once(20, lambda number: reruns.run_again(database, "t", by=f"person-{number}"))

    assert (len(done), len(told)) == (1, 19)
    assert all(done[0].task_id in str(error) for error in told)


def test_it_runs_once_more_when_the_earlier_one_has_ended_or_the_person_knows_of_it(database, nodes):
    a, _ = nodes
    a.ends("t", TaskState.COMPLETED)
    first = reruns.run_again(database, "t", by="kim")

    with pytest.raises(Conflict, match=first.task_id):
        reruns.run_again(database, "t", by="lee")
    with pytest.raises(Conflict):
        reruns.run_again(database, "t", by="lee", seen=0)
    assert reruns.run_again(database, "t", by="lee", seen=1).number == 2
    a.ends(reruns.links_of(database, "t").later[-1].task_id, TaskState.COMPLETED)
    assert reruns.run_again(database, "t", by="kim").number == 3


def test_a_fresh_run_carries_the_wish_in_its_options(database, nodes):
    a, _ = nodes
    a.ends("t", TaskState.COMPLETED)
    made = reruns.run_again(database, "t", by="kim", fresh=True)

    a.reruns.run_once()

    assert json.loads(a.messages()[0].body)["options"]["fresh_answers"] == made.task_id


def test_another_node_sends_what_one_had_begun_that_is_gone_and_each_once(database, nodes, clock):
    a, b = nodes
    a.ends("t", TaskState.COMPLETED)
    reruns.run_again(database, "t", by="kim")
    [waiting] = Reruns(database).waiting()
    assert Reruns(database).carry(waiting, node="a")

    assert b.reruns.run_once() == {}
    clock[0] += SILENCE.total_seconds() + 1
    b.beat()
    assert b.reruns.run_once() == {"sent": 1}
    a.beat()
    assert (a.reruns.run_once(), len(b.messages())) == ({}, 1)


# --- edit and run


def edited(database: Database, args: list[Any], **options: Any) -> Rerun:
    return reruns.edit_and_run(database, "t", args, {}, by="kim", function_of=function_of, **options)


def test_an_edited_dead_task_takes_the_place_of_the_old_one(database, nodes):
    a, _ = nodes
    a.ends("t", TaskState.DEAD)

    made = edited(database, ["a1", "s3://b/other"])

    assert a.reruns.run_once() == {"sent": 1}
    assert json.loads(a.messages()[0].body)["args"] == ["a1", "s3://b/other"]
    superseded = reruns.links_of(database, "t").superseded_by
    assert superseded is not None
    assert superseded.task_id == made.task_id
    assert a.letters.run_once() == {"carried_out": 1}
    assert [each.message_id for each in a.messages()] == [made.task_id]
    with pytest.raises(Conflict):
        letter_verbs.retry_task(database, "t", by="lee")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["a1"], "missing a required argument: 's3_path'"),
        (["a1", "s3://b/k", 3], "too many positional arguments"),
        (["a1", 7], "s3_path: Input should be a valid string"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(database, nodes, args, sentence):
    nodes[0].ends("t", TaskState.DEAD)

    with pytest.raises(Conflict, match=sentence):
        edited(database, args)
    assert Reruns(database).waiting() == []
    assert letter_verbs.letter_of_task(database, "t").is_open


def test_an_actor_that_is_not_known_here_is_not_guessed(database, nodes):
    nodes[0].ends("t", TaskState.DEAD)

    with pytest.raises(NotFound, match="cannot be checked"):
        reruns.edit_and_run(database, "t", [], {}, by="kim", function_of=lambda _: None)


def test_with_a_time_in_the_future_nothing_runs_now(database, nodes, clock):
    a, _ = nodes
    a.ends("t", TaskState.DEAD)
    now = datetime.fromtimestamp(clock[0], UTC)
    due = now + timedelta(hours=21)

    made = edited(database, ["a1", "s3://b/k"], due_at=due, now=now)
    a.reruns.run_once()
    a.sync.run_once()

    [message] = a.messages()
    assert message.due_at == due.timestamp()
    task = Tasks(database).get(made.task_id)
    assert task is not None
    assert (task.status, task.due_at) == (TaskState.PENDING, due)


def test_one_that_still_waits_is_revoked_when_an_edited_one_takes_its_place(database, nodes):
    nodes[0].ends("t", TaskState.FAILED, due_at=START.timestamp() + 600)

    made = edited(database, ["a1", "s3://b/k"])

    [said] = Control(database).read().all
    assert (said.name, said.action.value, said.reason) == ("t", "revoke", f"superseded by {made.task_id}")
