"""Figures of five minutes say what their minutes say, whatever comes late, again, or meanwhile, on both databases."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.contract.central_node import START, Node

from growbin_jobs.engine.central import spans as module
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.minutes import Minutes, TaskMinute
from growbin_jobs.engine.central.rollup import SPANS
from growbin_jobs.engine.central.spans import Spans
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.upgrade import migrations
from growbin_jobs.engine.keeper.minutes import ComputeMinutes, ForgetOld, NoteLacking
from growbin_jobs.models import SCHEMA

NOTED = "SELECT span, ends FROM task_spans_due ORDER BY span"
SPAN = SPANS.long
HOUR = timedelta(hours=1)
KEPT = timedelta(days=7)


def added(figures: list[TaskMinute]) -> dict[Any, tuple[Any, ...]]:
    """Return runs, waits, seconds and histograms by the span in which they lie, queue, actor and outcome."""
    found: dict[Any, list[Any]] = {}
    for each in figures:
        begin = START + (each.minute - START) // SPAN * SPAN
        sums = found.setdefault((begin, each.queue_name, each.task_name, each.outcome), [0, 0, 0.0, 0.0, [], []])
        for number, value in enumerate((each.runs, each.waits, each.wait_seconds, each.run_seconds)):
            sums[number] += value
        for number, buckets in ((4, each.wait_buckets), (5, each.run_buckets)):
            sums[number] = [sum(pair) for pair in zip(buckets, sums[number] or [0] * len(buckets), strict=True)]
    return {key: (*sums[:2], round(sums[2], 3), round(sums[3], 3), *sums[4:]) for key, sums in found.items()}


def made(database: Database) -> int:
    words = SqlWords(database.dialect)
    [(number,)] = database.run(lambda connection: words.rows(connection, "SELECT count(*) FROM task_spans"))
    return int(number)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_when_spans_say_what_minutes_say(database: Database, a: Node, b: Node, seed: int) -> None:
    chance, sent = random.Random(seed), 0
    for number in range(60):
        node = chance.choice((a, b))
        # Few minutes, the edges of spans among them, so that much comes late.
        second = chance.choice((0, 59, 240, 299, 300, 900, 1799)) + chance.random() * 0.9
        node.ended(
            f"t{number}", chance.choice(("completed", "failed")), second, created_at=START.timestamp() + second - 2
        )
        if chance.random() < 0.5:
            node.copy()
        now = START + timedelta(minutes=chance.choice((2, 6, 7, 40)))
        if chance.random() < 0.5:
            Minutes(database).compute_due(now=now, kept=KEPT, limit=chance.choice((1, 200)))
        if chance.random() < 0.5:
            sent += Spans(database).compute_due(now=now, limit=chance.choice((1, 100)))
        found, _ = Spans(database).read(START, START + HOUR)
        assert added(found) == added(Minutes(database).read(START, START + HOUR))
    a.copy()
    b.copy()
    ComputeMinutes(Minutes(database), KEPT, clock=(START + HOUR).timestamp).run_once()
    found, known = Spans(database).read(START, START + HOUR)
    assert sent
    assert made(database) == len(found)
    assert known == max(each.minute for each in found) + SPAN
    assert sum(Counter({each.outcome: each.runs for each in found}).values()) > 0
    assert added(found) == added(Minutes(database).read(START, START + HOUR))


def test_the_last_part_ends_where_its_minutes_end(database: Database, a: Node) -> None:
    assert Spans(database).read(START, START + HOUR) == ([], START)
    a.ended("t1", "completed", 10)
    a.ended("t2", "completed", 370)
    a.copy()
    ComputeMinutes(Minutes(database), KEPT, clock=(START + timedelta(minutes=8)).timestamp).run_once()

    found, known = Spans(database).read(START, START + HOUR)
    assert sorted(each.minute - START for each in found) == [timedelta(0), timedelta(minutes=6)]
    assert known == START + timedelta(minutes=7)


def test_a_span_waits_for_its_minutes(database: Database, a: Node) -> None:
    for minute in range(5):
        a.ended(f"t{minute}", "completed", 60 * minute)
    a.copy()
    late = START + HOUR
    Minutes(database).compute_due(now=late, kept=KEPT, limit=4)
    assert Spans(database).compute_due(now=late) == 0
    Minutes(database).compute_due(now=late, kept=KEPT)
    assert Spans(database).compute_due(now=START + timedelta(minutes=6)) == 0  # one more may come for the last one
    assert [Spans(database).compute_due(now=late), Spans(database).compute_due(now=late)] == [1, 0]


def test_a_minute_that_is_computed_while_its_span_is_comes_into_the_next_one(
    database: Database, a: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    a.ended("t1", "completed", 10)
    a.copy()
    late = START + HOUR
    Minutes(database).compute_due(now=late, kept=KEPT)
    a.ended("t2", "completed", 70)
    a.copy()
    database.run(lambda connection: connection.execute_sql("DELETE FROM minutes_due"))  # so that the span is computed
    real, meanwhile = module.together, threading.Thread(target=compute_second, args=(database, late))

    def together(*given: Any) -> Any:
        monkeypatch.undo()
        meanwhile.start()  # its note waits until ours is gone
        meanwhile.join(0.3)
        return real(*given)

    monkeypatch.setattr(module, "together", together)
    Spans(database).compute_due(now=late)
    meanwhile.join(30)
    found, _ = Spans(database).read(START, START + HOUR)
    assert sum(each.runs for each in found) == 2
    assert Spans(database).compute_due(now=late) == 1
    assert added(Spans(database).read(START, START + HOUR)[0]) == added(found)


def compute_second(database: Database, now: datetime) -> None:
    from growbin_jobs.engine.central.minutes_due import EPOCH, MINUTE, touch

    minute = int((START - EPOCH) / MINUTE) + 1
    database.transaction(lambda connection: touch(connection, database.dialect, [minute]))
    Minutes(database).compute_due(now=now, kept=KEPT)


def test_what_an_older_keeper_computed_without_a_note_is_found_within_a_day(database: Database, a: Node) -> None:
    for number, minute in enumerate((0, 4, 5, 33)):
        a.ended(f"t{number}", "completed", 60 * minute + 59)
        a.copy()
        Minutes(database).compute_due(now=START + HOUR, kept=KEPT)
        if number == 1:
            Spans(database).compute_due(now=START + HOUR)
    a.ended("t9", "completed", 30)  # into a span that is computed already
    a.copy()
    Minutes(database).compute_due(now=START + HOUR, kept=KEPT)
    database.run(lambda connection: connection.execute_sql("DELETE FROM task_spans_due"))
    assert sum(each.runs for each in Spans(database).read(START, START + HOUR)[0]) == 2

    look = NoteLacking(database, clock=(START + timedelta(days=1)).timestamp)
    assert look.run_once() == 3
    assert Spans(database).compute_due(now=START + timedelta(days=1)) == 3
    assert added(Spans(database).read(START, START + HOUR)[0]) == added(Minutes(database).read(START, START + HOUR))
    assert look.run_once() == 0


def test_minutes_of_before_are_put_together_after_an_upgrade_until_they_are_old(database: Database, a: Node) -> None:
    for minute in (0, 4, 5, 33):
        a.ended(f"t{minute}", "completed", 60 * minute + 59)
    a.copy()
    Minutes(database).compute_due(now=START + HOUR, kept=KEPT)
    [migration] = [each for each in migrations(SCHEMA) if each.name == "0042_minute_spans"]
    noting = migration.sql(database.dialect).rpartition("-- Spans of before are computed too.")[2]

    def note(connection: Any) -> list[Any]:
        before = SqlWords(database.dialect).rows(connection, NOTED)
        connection.execute_sql("DELETE FROM task_spans_due")
        connection.execute_sql(noting)
        assert SqlWords(database.dialect).rows(connection, NOTED) == before
        return before

    assert len(database.transaction(note)) == 3
    assert Spans(database).compute_due(now=START + HOUR) == made(database) == 3
    age = timedelta(0)
    assert ForgetOld(database, tasks=age, letters=age, minutes=age)(START + HOUR)["task_spans"] == 3
