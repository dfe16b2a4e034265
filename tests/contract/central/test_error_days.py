"""Errors of whole days, read as days, are those that the journals told of, whatever comes late, on both databases."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.contract.central.test_error_counts import KEPT, counted, fails
from tests.contract.central_node import START, Node
from tests.whole import WHOLE

from growbin_jobs.engine.central import error_days
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_days import ErrorDays
from growbin_jobs.engine.central.error_figures import ErrorFigures, failures_at
from growbin_jobs.engine.central.error_reading import ErrorReading
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.rollup import DAYS
from growbin_jobs.engine.central.spans import Spans
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.upgrade import migrations
from growbin_jobs.engine.keeper.minutes import ComputeMinutes, ForgetOld, NoteLacking
from growbin_jobs.models import SCHEMA
from growbin_jobs.operations.error_groups import error_groups, error_groups_with_tasks

DAY, day_of = DAYS.long, DAYS.begin
SINCE = day_of(START)
UNTIL = SINCE + 5 * DAY
NOTED = "SELECT day, ends FROM error_days_due ORDER BY day"


def read(database: Database, since: Any = SINCE, until: Any = UNTIL, **part: timedelta) -> list[ErrorFigures]:
    def look(connection: Any) -> list[ErrorFigures]:
        reading = ErrorReading(connection, SqlWords(database.dialect), since, until)
        found = reading.sums()
        reading.detail(found, **part)
        return found

    return database.snapshot(look)


def rows(database: Database, sql: str) -> list[Any]:
    return database.run(lambda connection: SqlWords(database.dialect).rows(connection, sql))


@pytest.mark.parametrize("seed", range(4 if WHOLE else 2))
def test_whenever_it_is_read_every_copied_run_is_counted_once(database: Database, a: Node, b: Node, seed: int) -> None:
    chance, told, copied = random.Random(seed), dict[Node, list[Any]](), list[Any]()
    edges = (-43_200, -43_100, 0, 43_199, 43_200, 50_000, 129_599, 129_600, 300_000)  # midnights are among them
    computed = 0
    for number in range(50):
        node, second = chance.choice((a, b)), chance.choice(edges) + chance.random() * 0.9
        told.setdefault(node, []).append(fails(node, number, second, chance.randrange(4), dead=chance.random() < 0.4))
        if chance.random() < 0.6:
            node.copy()
            copied += told.pop(node)
        now = START + timedelta(hours=chance.choice((1, 13, 38, 200)))
        if chance.random() < 0.4:
            Minutes(database).compute_due(now=now, kept=10 * KEPT, limit=chance.choice((2, 200)))
        if chance.random() < 0.4:
            computed += ErrorDays(database).compute_due(now=now, limit=chance.choice((1, 10)))
        expected, days = Counter[Any](), Counter[Any]()
        for cause, name, dead, at in copied:
            expected.update({(cause, "runs"): 1, (cause, "dead"): int(dead), (cause, name): 1})
            days[day_of(START + timedelta(seconds=at))] += 1
        assert counted(read(database)) == +expected
        by_day = Counter[Any]()
        for figures in read(database, part=DAY):
            for at, runs in figures.times.items():
                by_day[day_of(at)] += runs
        assert by_day == days
    assert computed
    ComputeMinutes(Minutes(database), 10 * KEPT, clock=(START + KEPT).timestamp).run_once()
    assert len(rows(database, "SELECT DISTINCT day FROM error_days")) == len({day_of(each) for each in days})
    moments = [at for figures in read(database) for at in figures.times]
    assert len(failures_at(database, moments, since=SINCE, until=UNTIL)) == len(copied)


def test_a_time_that_begins_and_ends_within_days_has_its_minutes_only(database: Database, a: Node) -> None:
    for number, hour in enumerate((-11, 0.5, 13, 30, 47, 60.5)):
        fails(a, number, hour * 3600, 1, dead=False)
    a.copy()
    ComputeMinutes(Minutes(database), 10 * KEPT, clock=(START + KEPT).timestamp).run_once()
    found = read(database, START + timedelta(minutes=30), START + timedelta(hours=60.5))
    assert [each.runs for each in found] == [4]
    assert found[0].samples == ["t4", "t3", "t1"]  # one of a day


def test_what_an_older_keeper_computed_without_a_note_is_found_within_a_day(database: Database, a: Node) -> None:
    for number, hour in enumerate((-11, 11.99, 12, 30)):
        fails(a, number, hour * 3600, 1, dead=False)
    a.copy()
    now = START + timedelta(days=2)
    Minutes(database).compute_due(now=now, kept=10 * KEPT)
    database.run(lambda connection: connection.execute_sql("DELETE FROM error_days_due"))
    assert read(database) == []

    Spans(database).compute_due(now=now)
    look = NoteLacking(database, clock=(SINCE + 2 * DAY + timedelta(hours=1)).timestamp)
    assert look.run_once() == 2
    assert ErrorDays(database).compute_due(now=now) == 2
    assert [each.runs for each in read(database)] == [4]
    assert look.run_once() == 0


def test_hours_of_before_are_put_together_after_an_upgrade_until_they_are_old(database: Database, a: Node) -> None:
    for number, hour in enumerate((-11, 11.99, 12, 40)):
        fails(a, number, hour * 3600, 1, dead=False)
    a.copy()
    now = START + KEPT
    Minutes(database).compute_due(now=now, kept=10 * KEPT)
    [migration] = [each for each in migrations(SCHEMA) if each.name == "0043_error_days"]
    noting = migration.sql(database.dialect).rpartition("-- Days of before are computed too.")[2]
    before = rows(database, NOTED)
    database.run(lambda connection: connection.execute_sql("DELETE FROM error_days_due"))
    database.run(lambda connection: connection.execute_sql(noting))
    assert rows(database, NOTED) == before

    assert len(before) == 3
    assert ErrorDays(database).compute_due(now=now) == 3
    late = ForgetOld(database, tasks=KEPT, letters=KEPT, minutes=timedelta(0))
    assert late(START + timedelta(hours=20))["error_days"] == 1  # one that is not over stays whole
    assert [each.runs for each in read(database)] == [2]


def three_days(database: Database, node: Node) -> None:
    for number, hour in enumerate((-11, 11.99, 12, 40)):
        fails(node, number, hour * 3600, 1, dead=False)
    node.copy()
    ComputeMinutes(Minutes(database), 10 * KEPT, clock=(START + KEPT).timestamp).run_once()


def test_days_that_are_over_are_read_once_until_one_is_made_anew(
    database: Database, a: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()

    def spied(connection: Any, words: SqlWords, days: Any, causes: Any) -> Any:
        asked.append(len(causes))
        return real(connection, words, days, causes)

    real = error_days._read
    monkeypatch.setattr(error_days, "_read", spied)
    three_days(database, a)
    first = read(database)
    assert (read(database), asked) == (first, [1, 0])
    fails(a, 9, 11.5 * 3600, 1, dead=False)  # late, for a day that was read
    a.copy()
    ComputeMinutes(Minutes(database), 10 * KEPT, clock=(START + KEPT).timestamp).run_once()
    [figures] = read(database)
    assert (figures.runs, sum(figures.times.values()), sum(figures.nodes.values())) == (5, 5, 5)
    assert asked == [1, 0, 1]


def test_a_day_that_an_older_keeper_made_is_read_each_time(database: Database, a: Node) -> None:
    three_days(database, a)
    assert counted(read(database)) == counted(read(database))
    database.run(lambda one: one.execute_sql("UPDATE error_days SET made = NULL, nodes = '{\"n7\": 9}'"))
    assert [each.nodes for each in read(database)] == [{"n7": 27}]
    database.run(lambda one: one.execute_sql("UPDATE error_days SET nodes = '{\"n7\": 1}'"))
    assert [each.nodes for each in read(database)] == [{"n7": 3}]


def test_a_bounded_number_of_causes_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_days, "_MOST", 3)
    remembered, its = error_days._Remembered(), error_days.CauseDays([], {}, [])
    for number in range(4):
        remembered.put((number,), {1: its, 2: its})
    assert [len(remembered.get((number,), (1, 2))) for number in range(4)] == [0, 0, 0, 2]
    remembered.put((3,), {3: its, 4: its})
    assert sorted(remembered.get((3,), range(9))) == [3, 4]


def test_days_without_a_number_get_one_after_an_upgrade(database: Database, a: Node) -> None:
    for number, hour in enumerate((-11, 11.99, 12, 40)):
        fails(a, number, hour * 3600, 1, dead=False)
    a.copy()
    now = START + KEPT
    Minutes(database).compute_due(now=now, kept=10 * KEPT)
    before = rows(database, NOTED)
    assert ErrorDays(database).compute_due(now=now) == len(before) == 3
    [migration] = [each for each in migrations(SCHEMA) if each.name == "0044_plain_figures"]
    noting = migration.sql(database.dialect).partition("ADD COLUMN made")[2].partition(";")[2]
    database.run(lambda connection: connection.execute_sql("UPDATE error_days SET made = NULL"))
    for _ in range(2):
        database.run(lambda connection: connection.execute_sql(noting))
    assert rows(database, NOTED) == before
    assert ErrorDays(database).compute_due(now=now) == 3
    assert rows(database, "SELECT count(*), count(made), count(DISTINCT made) FROM error_days") == [(3, 3, 3)]


def test_groups_are_the_same_whether_tasks_of_one_are_asked_for_or_not(database: Database, a: Node) -> None:
    chance = random.Random(7)
    for number in range(40):
        fails(a, number, chance.uniform(-43_200, 300_000), number % 4, dead=number % 3 == 0)
    a.copy()
    ComputeMinutes(Minutes(database), 10 * KEPT, clock=(START + KEPT).timestamp).run_once()
    span = {"since": SINCE + timedelta(hours=7, minutes=20), "until": UNTIL - timedelta(hours=9, minutes=7)}
    found = error_groups(database, **span)
    assert len(found.groups) > 2
    for group in found.groups:
        groups, tasks = error_groups_with_tasks(database, group.key, **span)
        assert (groups, len(tasks)) == (found, group.count)
