"""Errors counted by minute and hour are those that the journals told of, whatever comes late, again, or meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.central_node import START, Node, death
from tests.whole import WHOLE

from growbin_jobs.engine.central import cause_counts
from growbin_jobs.engine.central.attempts import AttemptRow
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_causes import OTHERS, Cause, cause_of
from growbin_jobs.engine.central.error_counts import ErrorCounts
from growbin_jobs.engine.central.error_figures import ErrorFigures, failures_at
from growbin_jobs.engine.central.error_reading import ErrorReading
from growbin_jobs.engine.central.failed_runs import failures
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.keeper.minutes import ForgetOld

KEPT = timedelta(days=7)
HOURS = timedelta(hours=5)
TRACE = '  File "/srv/app/src/{file}", line 7, in f\n    x()\nKeyError\n'

#: Of each cause: what the run says, and what its dead letter says.
ERRORS = (("KeyError: 'u{n}'", ""), ("Order {n} is gone", ""), ("KeyError", "a.py"), ("KeyError", "b.py"))


def fails(node: Node, number: int, second: float, kind: int, *, dead: bool) -> tuple[Cause, str, bool, float]:
    """Let a run fail; return its cause, its node, whether it was the last one, and when."""
    error, file = ERRORS[kind]
    text, traceback = error.format(n=number), TRACE.format(file=file) if file else ""
    letter = death(second, error=text, traceback=traceback) if dead else None
    node.ended(f"t{number}", "dead" if dead else "failed", second, error=text, dead=letter)
    known = {"code": letter.code, "traceback": letter.traceback} if letter else {}
    return cause_of("upload_image", text, **known), node.journal.node, dead, second


def counted(found: list[ErrorFigures]) -> Any:
    """Return runs and dead ones by cause, and runs by node."""
    by_cause: Counter[Any] = Counter()
    for each in found:
        by_cause[each.cause, "runs"] += each.runs
        by_cause[each.cause, "dead"] += each.dead
        for node, runs in each.nodes.items():
            by_cause[each.cause, node] += runs
        assert sum(each.times.values()) == each.runs
    return +by_cause


def read(database: Database, **window: int) -> list[ErrorFigures]:
    def look(connection: Any) -> list[ErrorFigures]:
        reading = ErrorReading(connection, SqlWords(database.dialect), START, START + HOURS, **window)
        found = reading.sums()
        reading.detail(found)
        return found

    return database.snapshot(look)


@pytest.mark.parametrize("seed", range(4 if WHOLE else 2))
def test_whenever_it_is_read_every_copied_run_is_counted_once(database: Database, a: Node, b: Node, seed: int) -> None:
    chance = random.Random(seed)
    told: dict[Node, list[Any]] = {a: [], b: []}
    copied: list[Any] = []
    for number in range(60):
        node = chance.choice((a, b))
        # Few minutes, so that much comes for one that was counted, and an hour's end is among them.
        second = chance.choice((0, 59, 3540, 3599, 3600, 7300, 14_000)) + chance.random() * 0.9
        told[node].append(fails(node, number, second, chance.randrange(len(ERRORS)), dead=chance.random() < 0.4))
        if chance.random() < 0.5:
            node.copy()
            copied += told[node]
            told[node].clear()
        if chance.random() < 0.3:
            Minutes(database).compute_due(now=START + timedelta(hours=chance.choice((1, 2, 6))), kept=KEPT, limit=2)
        expected: Counter[Any] = Counter()
        for cause, name, dead, _ in copied:
            expected[cause, "runs"] += 1
            expected[cause, "dead"] += dead
            expected[cause, name] += 1
        assert counted(read(database)) == +expected

    moments = [each.timestamp() - START.timestamp() for figures in read(database) for each in figures.times]
    hours = failures_at(database, [each for figures in read(database) for each in figures.times],
                        since=START, until=START + HOURS)  # fmt: skip
    assert len(hours) == len(copied)
    assert min(moments) >= 0
    assert (min(each.first_at for each in read(database)) - START).total_seconds() == pytest.approx(
        min(at for *_, at in copied), abs=1e-3
    )


def test_what_was_counted_stays_when_the_runs_are_gone_until_it_is_old(database: Database, a: Node) -> None:
    cause, *_ = fails(a, 1, 10, 1, dead=True)
    fails(a, 2, 3700, 1, dead=True)
    a.copy()
    Minutes(database).compute_due(now=START + HOURS, kept=KEPT)
    database.run(lambda connection: connection.execute_sql("DELETE FROM task_attempts"))
    fails(a, 3, 11, 1, dead=True)
    a.copy()
    late = START + KEPT + HOURS
    Minutes(database).compute_due(now=late, kept=KEPT)  # others of that minute may be gone
    [figures] = read(database)
    assert (figures.cause, figures.runs, figures.dead, figures.samples) == (cause, 2, 2, ["t2", "t1"])
    old = ForgetOld(database, tasks=KEPT, letters=KEPT, minutes=timedelta(hours=1))
    assert {"error_minutes", "error_hours", "error_causes"} <= set(old(late))
    assert read(database) == []


def test_a_minute_without_letters_is_counted_anew_when_they_come(database: Database, a: Node) -> None:
    cause, *_ = fails(a, 1, 10, 2, dead=True)
    a.copy()
    database.run(lambda connection: connection.execute_sql("DELETE FROM dead_letters"))
    Minutes(database).compute_due(now=START + HOURS, kept=KEPT)
    assert [each.cause.place for each in read(database)] == [""]
    a.journal.write(lambda connection: connection.execute("UPDATE dead_letter SET copied_at = NULL"))
    a.copy()

    Minutes(database).compute_due(now=START + HOURS, kept=KEPT)
    assert [each.cause for each in read(database)] == [cause]


def test_more_causes_than_are_kept_apart_are_one(database: Database, a: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cause_counts, "MOST_CAUSES", 2)
    words = ("first", "first", "first", "second", "second", "third", "fourth")
    for number, word in enumerate(words):
        a.ended(f"t{number}", "failed", number, error=f"{word} word")
        a.ended(f"u{number}", "failed", 3600 + number, error=f"{word} word")
    a.copy()
    Minutes(database).compute_due(now=START + HOURS, kept=KEPT)

    assert {each.cause.title: each.runs for each in read(database)} == {"first word": 6, "second word": 4, "…": 4}
    assert OTHERS.title == "…"


def test_an_outage_is_counted_page_by_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("growbin_jobs.engine.central.failed_runs.PAGE", 7)
    at = [START + timedelta(seconds=number // 4) for number in range(60)]  # four end in the same microsecond
    rows = [
        {
            "task_id": f"t{number}", "node": "n1", "ended_at": moment, "outcome": "failed", "task_name": "a",
            "queue_name": "q", "error": "E",
        }
        for number, moment in enumerate(at)
    ]  # fmt: skip
    database.run(lambda connection: AttemptRow.insert_many(rows).execute(connection))
    counts = ErrorCounts(database)
    database.transaction(lambda connection: counts.compute_minute(connection, START))
    assert counts.compute_hours(now=START + HOURS) == 1

    assert [each.runs for each in read(database)] == [60]


def test_runs_that_are_looked_for_by_their_cause_are_all_that_have_it(database: Database, a: Node) -> None:
    texts = (
        "KeyError: 'a'", "  KeyError: 'b'", "\n\tKeyError: 'c'", "\u3000KeyError: 'd'", "KeyErrors: no",
        "9 KeyError: 'e'", "", "가 'x'", "가 'y'",
    )  # fmt: skip
    for number, text in enumerate(texts):
        a.ended(f"t{number}", "failed", number, error=text)
    a.copy()

    def found(*causes: Cause) -> list[tuple[str, Cause]]:
        words = SqlWords(database.dialect)
        runs = database.run(lambda one: list(failures(one, words, START, START + HOURS, causes=causes)))
        return sorted((run.task_id, run.cause) for run in runs if run.cause in causes)

    known = {f"t{number}": cause_of("upload_image", text) for number, text in enumerate(texts)}
    for cause in set(known.values()):
        assert found(cause) == sorted((task, each) for task, each in known.items() if each == cause)
    assert [task for task, _ in found(known["t0"], known["t1"])] == ["t0", "t1", "t2", "t3"]
    assert len(found(*known.values())) == len(texts)


def test_letters_are_those_of_the_runs_whether_they_are_looked_for_by_task_or_by_time(
    database: Database, a: Node, b: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        node = (a, b)[number % 2]
        fails(node, number // 2, number * 0.4, 2 + number // 4 % 2, dead=number % 4 > 0)  # tasks of both nodes
    a.copy()
    b.copy()

    def found() -> list[Any]:
        words = SqlWords(database.dialect)
        return sorted(database.run(lambda one: list(failures(one, words, START, START + HOURS))))

    by_task = found()
    assert {run.cause.place for run in by_task if run.dead} == {"a.py:f", "b.py:f"}
    monkeypatch.setattr("growbin_jobs.engine.central.failed_runs._FEW", 0)
    assert found() == by_task
