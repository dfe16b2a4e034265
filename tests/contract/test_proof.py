"""Proofs on both databases: what is whole holds; one planted hole or double in any part is found and named."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.contract.central_node import START, Node
from tests.contract.schedule_world import CHECKS, DAILY, HOUR, MINUTE, ScheduleWorld

from growbin_jobs.engine.broker.port import Depth
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import Action, DeadLetterRow, DeadLetters
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.tasks import TaskRow, Tasks
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.limits.budgets import Budgets
from growbin_jobs.limits.promises import Promises
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.operations.proofs import messages as proofs
from growbin_jobs.operations.proofs.messages import gaps_of_nodes, prove_analyses, prove_messages
from growbin_jobs.operations.proofs.parts import Kind, Part, Verdict
from growbin_jobs.operations.proofs.promises import prove_limits, prove_paid_answers, prove_schedule
from growbin_jobs.operations.proofs.whole import Kept, prove
from growbin_jobs.rates import parse_rates
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow

DAY = timedelta(days=1)
SINCE, UNTIL = START - HOUR, START + HOUR
NOW = START + 2 * HOUR
KEPT = Kept(tasks=90 * DAY, dead_letters=90 * DAY, usage=90 * DAY, due_times=100 * DAY, answers=HOUR)


@pytest.fixture
def node(tmp_path: Path, database: Database) -> Any:
    node = Node(tmp_path, "a", Tasks(database))
    yield node
    node.journal.close()


def run(database: Database, query: Any) -> None:
    database.run(lambda connection: query.execute(connection))


def messages(database: Database, gaps: tuple[str, ...] = ()) -> Part:
    # What was copied is not new any more: synced_at is the test's time.
    return prove_messages(database, SINCE, UNTIL, NOW, gaps)


def found(part: Part) -> list[tuple[str, str]]:
    return [(wrong.kind.value, wrong.what) for wrong in part.wrong]


def played(database: Database, node: Node) -> None:
    """Messages of every fate, as journals tell them."""
    for number, name in enumerate(("done", "dead", "thrown", "again"), 1):
        node.started(name, number)
        node.ended(name, "completed" if name == "done" else "dead", number + 0.5)
    node.sent("parent", "child", 8)
    node.started("runs", 9)
    node.ended("retries", "failed", 10, due_at=START.timestamp() + 60)
    node.copy()
    letters = {each.task_id: each.id for each in DeadLetters(database).list()}
    DeadLetters(database).mark(letters["thrown"], Action.DISCARD, by="kim", at=START)
    [thrown] = DeadLetters(database).taken(now=NOW)
    DeadLetters(database).done(thrown, at=START)
    run(database, DeadLetterRow.update(taken_by="kim", taken_to="retry").where(DeadLetterRow.task_id == "again"))


def test_every_message_has_one_fate(database: Database, node: Node) -> None:
    played(database, node)

    part = messages(database)

    assert part.counted == {
        "accepted": 8, "completed": 2, "revoked": 0, "aborted": 0, "dead": 2, "discarded": 1, "pending": 1,
        "running": 1, "failed": 1, "lost": 0,
    }  # fmt: skip
    assert (part.wrong, part.wrong_in_all) == ([], 0)
    assert part.verdict is Verdict.INCOMPLETE, "what is in flight was not heard of for long"
    assert "3 messages in flight" in part.unchecked[0]


def delete(model: Any, task_id: str) -> Any:
    return model.delete().where(model.task_id == task_id)


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (lambda: delete(DeadLetterRow, "dead"), ("hole", "dead")),
        (lambda: delete(TaskRow, "dead"), ("hole", "dead")),
        (lambda: delete(TaskRow, "retries"), ("hole", "retries")),
        (lambda: delete(TaskRow, "parent"), ("hole", "parent")),
        (lambda: DeadLetterRow.update(retried_at=START).where(DeadLetterRow.task_id == "dead"), ("hole", "dead")),
        (lambda: TaskRow.update(status="odd").where(TaskRow.task_id == "runs"), ("hole", "runs")),
        (lambda: TaskRow.update(status="completed").where(TaskRow.task_id == "dead"), ("double", "dead")),
    ],
)  # fmt: skip
def test_a_planted_hole_or_double_of_messages_is_named(
    database: Database, node: Node, plant: Callable[[], Any], what: tuple[str, str]
) -> None:
    played(database, node)
    run(database, plant())

    part = messages(database)

    assert found(part) == [what]
    assert (part.verdict, part.wrong_in_all) == (Verdict.BROKEN, 1)
    assert part.counted["accepted"] == 8
    assert part.counted["lost"] == (what[0] == "hole")


def test_a_message_that_neither_its_queue_nor_a_worker_has_is_a_hole(
    database: Database, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(database, node)
    run(database, TaskRow.update(synced_at=START))
    for ago in (1, 2):
        minute = NOW - timedelta(minutes=ago)
        QueueMinutes(database).add(minute, {"vision": Depth(0, None, None, 0)}, now=minute)
    monkeypatch.setattr(proofs, "APART", 0.0)

    part = prove_messages(database, SINCE, UNTIL, NOW, (), embedded=False)

    assert found(part) == [("hole", "child")]
    assert "run-again child" in part.wrong[0].why
    assert (part.verdict, part.wrong_in_all) == (Verdict.BROKEN, 1)
    assert (part.counted["accepted"], part.counted["pending"], part.counted["lost"]) == (8, 0, 1)


def test_a_message_that_only_its_dead_letter_names_is_a_hole(database: Database, node: Node) -> None:
    played(database, node)
    for model in (TaskRow, AttemptRow):
        run(database, delete(model, "dead"))

    part = messages(database)

    assert (found(part), part.counted["accepted"], part.counted["lost"]) == ([("hole", "dead")], 8, 1)


def test_what_was_copied_just_now_is_in_flight_until_the_rest_comes(database: Database, node: Node) -> None:
    played(database, node)
    run(database, delete(DeadLetterRow, "dead"))

    part = prove_messages(database, SINCE, UNTIL, START + timedelta(seconds=1010), ())

    assert (part.wrong, part.counted["lost"], part.counted["running"]) == ([], 0, 2)
    assert (part.verdict, len(part.unchecked)) == (Verdict.INCOMPLETE, 1)


def test_holes_are_named_up_to_a_limit_and_counted_beyond(database: Database, node: Node) -> None:
    rows = [
        {
            "task_id": f"t{number}",
            "node": "a",
            "ended_at": START,
            "outcome": "failed",
            "task_name": "x",
            "queue_name": "q",
        }
        for number in range(130)
    ]
    run(database, AttemptRow.insert_many(rows))

    part = messages(database)

    assert (len(part.wrong), part.wrong_in_all, part.counted["lost"]) == (100, 130, 130)


def analysis(database: Database, name: str, status: str, **fields: Any) -> None:
    values = {"id": name, "user_id": "u", "status": status, "created_at": START, "updated_at": START}
    run(database, WasteAnalysis.insert(values | fields))


def task(database: Database, name: str, payload: str, status: str = "pending") -> None:
    values = {
        "task_id": name, "node": "a", "task_name": "x", "queue_name": "q", "payload": payload, "status": status,
        "created_at": START, "synced_at": START, "retry_count": 0, "deferrals": 0, "crashes": 0, "seq": 1,
    }  # fmt: skip
    run(database, TaskRow.insert(values))


def test_each_analysis_is_at_its_end_or_has_a_message(database: Database) -> None:
    analysis(database, "a1", "completed")
    analysis(database, "a2", "failed", error_code="worker_killed")
    analysis(database, "a3", "uploaded")
    analysis(database, "a4", "classified")
    task(database, "t3", '{"args": ["a3", "s3://b/k"], "kwargs": {}}')
    task(database, "t4", '{"args": [], "kwargs": {"deep": [{"id": "a4"}]}}', "failed")
    task(database, "broken", "no json")
    task(database, "list", "[1]")

    part = prove_analyses(database, SINCE, UNTIL, NOW, (), in_broker=lambda: 0)

    assert (part.verdict, part.counted["accepted"], part.counted["without a message"]) == (Verdict.HOLDS, 4, 0)

    run(database, TaskRow.update(status="completed").where(TaskRow.task_id == "t4"))
    analysis(database, "a5", "failed")
    analysis(database, "young", "pending", updated_at=NOW)
    broken = prove_analyses(database, SINCE, UNTIL, NOW, (), in_broker=lambda: 0)

    assert found(broken) == [("hole", "a4"), ("hole", "a5")]
    assert "1 analyses changed" in broken.unchecked[0], "what is young is not proven, and no hole yet"
    assert broken.verdict is Verdict.BROKEN


def test_what_has_not_begun_is_compared_with_the_broker_by_number(database: Database) -> None:
    for number in range(3):
        analysis(database, f"a{number}", "pending")

    def of(messages: int | str) -> Part:
        return prove_analyses(database, SINCE, UNTIL, NOW, (), in_broker=lambda: messages)

    assert [of(messages).verdict for messages in (3, 7, "held by 42")] == [Verdict.INCOMPLETE] * 3
    assert "held by 42" in of("held by 42").unchecked[0], "who holds the broker's file can be ended"
    broken = of(2)
    assert (broken.verdict, broken.counted["without a message"]) == (Verdict.BROKEN, 1)
    assert len(broken.wrong) == 3, "one of these: which one cannot be known"


def test_a_journal_that_is_not_copied_may_have_the_message_of_an_analysis(database: Database) -> None:
    analysis(database, "a1", "classified")

    part = prove_analyses(database, SINCE, UNTIL, NOW, ("Node n1 is silent.",), in_broker=lambda: 0)

    assert (part.verdict, part.counted["without a message"]) == (Verdict.INCOMPLETE, 1)
    assert "a1" in part.unchecked[1]


def test_a_node_whose_journal_is_not_copied_is_named(database: Database) -> None:
    def report(name: str, at: datetime, lag: float = 0.5, unsynced: int = 0) -> None:
        group = WorkerGroup(
            node=name, group_name="storage", version="1", pids=[7], processes=1, threads=4, queues=["q"], running=1,
            unsynced=unsynced, owed=0, lag=lag, started_at=START, seen_at=at,
        )  # fmt: skip
        Workers(database).report(name, [group], unsynced=unsynced, owed=0, at=at)

    report("lives", NOW)
    report("clean", START)
    Workers(database).report("clean", [], unsynced=0, owed=0, at=START)
    assert gaps_of_nodes(database, NOW) == []

    report("silent", START)
    report("behind", NOW, lag=500.0, unsynced=7)
    report("left", START)
    Workers(database).report("left", [], unsynced=3, owed=2, at=START)
    gaps = gaps_of_nodes(database, NOW)

    assert [gap.split()[1] for gap in gaps] == ["behind", "left", "silent"]
    assert "3 rows" in gaps[1]
    assert "2 messages" in gaps[1]
    assert messages(database, tuple(gaps)).verdict is Verdict.INCOMPLETE


def test_each_due_time_once(schedule: ScheduleWorld) -> None:
    schedule.register(DAILY, CHECKS)
    begin = schedule.now
    for _ in range(6):
        schedule.now += 10 * MINUTE
        schedule.work(*schedule.look(CHECKS))

    def part() -> Part:
        return prove_schedule(schedule.database, begin, schedule.now, (), clock=schedule.clock)

    assert (part().verdict, part().counted["due times"]) == (Verdict.HOLDS, 6)

    first = schedule.rows(CHECKS.name)[0]["due"]
    run(schedule.database, JobRunRow.update(effects=2).where(JobRunRow.due == first))
    assert [wrong.kind for wrong in part().wrong] == [Kind.DOUBLE]
    run(schedule.database, JobRunRow.update(effects=1))

    run(schedule.database, LedgerRow.delete().where(LedgerRow.due == first))
    [hole] = part().wrong
    assert (hole.kind, hole.what.split()[0]) == (Kind.HOLE, CHECKS.name)


def test_a_schedule_of_which_nothing_was_due_is_not_proven(schedule: ScheduleWorld) -> None:
    part = prove_schedule(schedule.database, schedule.now - HOUR, schedule.now, (), clock=schedule.clock)

    assert part.verdict is Verdict.INCOMPLETE


def paid(database: Database, seconds: float, **fields: Any) -> None:
    row = {
        "id": uuid.uuid4().hex, "sent_at": START + timedelta(seconds=seconds), "day": "2026-11-21", "node": "n1",
        "purpose": "vision", "model": "gpt-6-luna", "outcome": "answered", "billed": "yes", "latency_ms": 2000,
        "tokens_in": 900, "tokens_out": 100, "cost": 140, "analysis_id": "a1",
    }  # fmt: skip
    run(database, LlmUsage.insert(row | fields))


def answers(database: Database, since: datetime = SINCE) -> Part:
    return prove_paid_answers(database, since, START + DAY, (), lifetime=HOUR)


def test_each_paid_answer_was_paid_once(database: Database) -> None:
    paid(database, 0)
    paid(database, 1, purpose="text")
    paid(database, 2, analysis_id="a2")
    paid(database, 2, analysis_id="a3", question="q1")
    paid(database, 3, analysis_id="a3", question="q1, fresh")
    paid(database, 3, outcome="unusable")
    paid(database, 4, outcome="rate_limited", billed="no")
    paid(database, 3700)  # its time was over
    paid(database, 10, analysis_id="a4", question="q4", tier_asked="batch")
    paid(database, 20, analysis_id="a5", question="q4")  # a batch had it, and somebody did not wait for that
    part = answers(database)
    assert (part.verdict, part.counted) == (
        Verdict.HOLDS,
        {
            "paid answers": 8, "paid, and not usable": 1, "asked again after their time": 1,
            "asked at once beside a batch": 1,
        },
    )  # fmt: skip

    paid(database, 3800)
    part = answers(database)
    assert (part.verdict, found(part)) == (Verdict.BROKEN, [("double", "a1 vision")])
    assert answers(database, START + timedelta(seconds=3750)).verdict is Verdict.BROKEN, "the first one came before"
    assert answers(database, START + timedelta(seconds=3850)).verdict is Verdict.HOLDS


def test_the_same_picture_in_two_analyses_is_one_question(database: Database) -> None:
    paid(database, 0, analysis_id="a1", question="q1")
    paid(database, 60, analysis_id="a2", question="q1")
    paid(database, 70, analysis_id="a2", question="q2")

    part = answers(database)

    assert (part.verdict, found(part)) == (Verdict.BROKEN, [("double", "a2 vision")])
    assert "60 s after the answer before, of a1" in part.wrong[0].why


def test_what_nobody_knows_of_payments_is_said(database: Database) -> None:
    paid(database, 0, outcome="timeout", billed="unknown")
    paid(database, 1, analysis_id=None, message_id=None)
    paid(database, 2, analysis_id=None, message_id=None)

    part = answers(database)

    assert (part.verdict, len(part.unchecked)) == (Verdict.INCOMPLETE, 2)


def test_each_limit_was_kept_and_names_nobody(database: Database) -> None:
    Promises(database).set("vision", parse_rates("vision=2")["vision"])
    Promises(database).set("user:*", parse_rates("user:*=2")["user:*"])
    begin = datetime.now(UTC) + 10 * MINUTE
    since, until = begin - timedelta(minutes=5), begin + HOUR

    def part(end: datetime = until) -> Part:
        return prove_limits(database, since, end, end, (), zone=ZoneInfo("Asia/Seoul"))

    def send(seconds: float) -> None:
        paid(database, 0, sent_at=begin + timedelta(seconds=seconds), user_id="u-42")

    send(0)
    send(1)
    assert (part().verdict, part().counted["requests"]) == (Verdict.HOLDS, 2)

    send(2)
    broken = part()
    assert found(broken) == [("broken", "user:*"), ("broken", "vision")]
    assert part(begin + timedelta(seconds=1.5)).verdict is Verdict.HOLDS, "what comes after the span does not count"


def test_books_that_do_not_agree_break_the_proof(database: Database) -> None:
    zone = ZoneInfo("Asia/Seoul")
    budgets, now = Budgets(database, zone=zone), datetime.now(UTC)
    budgets.reserve("r1", ["total"], 500)
    budgets.settle("r1", 300)
    assert prove_limits(database, now - HOUR, now, now, (), zone=zone).verdict is Verdict.HOLDS

    database.run(lambda connection: connection.execute_sql("UPDATE budget_day SET settled = settled - 1"))

    part = prove_limits(database, now - HOUR, now, now, (), zone=zone)
    assert found(part) == [("broken", f"total {now.astimezone(zone).date()}")]


def test_a_proof_has_all_parts_and_the_worst_verdict(database: Database) -> None:
    now = datetime.now(UTC)

    def proof(since: datetime) -> Any:
        return prove(
            database, since, now, now=now, node="n1", zone=ZoneInfo("Asia/Seoul"), kept=KEPT, in_broker=lambda: 0
        )

    whole = proof(now - HOUR)
    assert [part.name for part in whole.parts] == ["messages", "analyses", "schedule", "limits", "paid_answers"]
    assert whole.verdict is Verdict.INCOMPLETE, "nothing was due"

    old = proof(now - 91 * DAY)
    assert {part.name for part in old.parts if any("kept for" in each for each in part.unchecked)} == {
        "messages", "limits", "paid_answers",
    }  # fmt: skip

    run(database, AttemptRow.insert(
        task_id="t", node="a", ended_at=now - MINUTE, outcome="failed", task_name="x", queue_name="q"
    ))  # fmt: skip
    assert proof(now - HOUR).verdict is Verdict.BROKEN
