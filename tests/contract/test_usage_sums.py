"""Sums of usage are those of the requests, to the micro-dollar, whatever is written, late, twice, or deleted."""

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import empty_tables
from tests.waiting import until
from tests.whole import examples

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits.spent import GroupBy, spent, spent_by_users
from growbin_jobs.limits.subjects import SubjectUsage
from growbin_jobs.limits.usage import LlmUsage, insert
from growbin_jobs.limits.usage_days import prune, roll_up
from growbin_jobs.limits.usage_spans import make_spans
from growbin_jobs.limits.usage_sums import add
from growbin_jobs.models import SCHEMA

TODAY = date(2026, 11, 28)
WAYS: tuple[GroupBy, ...] = ("day", "model", "user", "purpose", "tier")

requests = st.lists(
    st.tuples(
        st.integers(0, 40),  # id: the same one comes again
        st.integers(0, 4) | st.integers(0, 30),  # days ago
        st.sampled_from(["m1", "m2"]),
        st.sampled_from(["vision", "text"]),
        st.sampled_from(["u1", "u2", None]),
        st.one_of(st.none(), st.integers(0, 2**40)),
        st.sampled_from([(None, None), ("flex", "default"), ("batch", "batch"), ("flex", None)]),  # tier asked, served
    ),
    min_size=1,
    max_size=6,
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), requests),
        st.tuples(st.just("write"), requests),
        st.tuples(st.just("an older release writes"), requests),
        st.tuples(st.just("look"), st.none()),
        st.tuples(st.just("make spans"), st.integers(0, 4)),
        st.tuples(st.just("erase"), st.sampled_from(["u1", "u2"])),
        st.tuples(st.just("prune"), st.integers(0, 4)),
    ),
    max_size=12,
)


def row(
    number: int, ago: int, model: str, purpose: str, user: str | None, cost: int | None,
    tiers: tuple[str | None, str | None] = (None, None),
) -> dict[str, Any]:  # fmt: skip
    day = TODAY - timedelta(days=ago)
    tokens = None if cost is None else number + 1
    return dict.fromkeys(field.name for field in LlmUsage._meta.sorted_fields) | {
        "id": f"r{number}", "sent_at": datetime(day.year, day.month, day.day, 3, tzinfo=UTC), "day": str(day),
        "node": "n1", "purpose": purpose, "user_id": user, "model": model, "outcome": "answered", "billed": "yes",
        "latency_ms": 5, "tokens_in": tokens, "tokens_cached": tokens, "tokens_out": tokens, "cost": cost,
        "tier_asked": tiers[0], "tier_served": tiers[1],
    }  # fmt: skip


def sums_of(rows: list[dict[str, Any]], by: str) -> dict[str | None, tuple[int, ...]]:
    column = {"user": "user_id"}.get(by, by)
    found: dict[str | None, list[int]] = defaultdict(lambda: [0] * 5)
    for one in rows:
        numbers = (1, one["cost"] or 0, int(one["cost"] is None), one["tokens_in"] or 0, one["tokens_out"] or 0)
        key = one["tier_served"] or one["tier_asked"] if by == "tier" else one[column]
        found[key] = [old + new for old, new in zip(found[key], numbers, strict=True)]
    return {key: tuple(numbers) for key, numbers in found.items()}


def said(database: Database, by: GroupBy, **days: date) -> dict[str | None, tuple[int, ...]]:
    return {
        one.key: (one.requests, one.micro_dollars, one.unpriced, one.tokens_in, one.tokens_out)
        for one in spent(database, by=by, **days)
    }


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps)
def test_any_history_is_added_up_exactly(database: Database, todo: list) -> None:
    tables = "usage", "usage_sum", "usage_total", "usage_tier", "usage_rolled", "usage_span", "usage_spanned"
    for table in (f"llm_{name}" for name in tables):
        database.run(lambda one, table=table: one.execute_sql(f"DELETE FROM {table}"))
    kept: dict[str, dict[str, Any]] = {}
    unseen, pruned = False, set[str]()

    for what, detail in todo:
        if what == "look":
            roll_up(database, TODAY)
            unseen = False
        elif what == "make spans":
            make_spans(database, before=TODAY - timedelta(days=detail))
        elif what == "erase":
            database.transaction(lambda one, user=detail: SubjectUsage(database).erase_batch(one, user))
            for each in kept.values():
                each["user_id"] = None if each["user_id"] == detail else each["user_id"]
        elif what == "prune":
            if unseen:
                continue
            prune(database, requests_before=TODAY - timedelta(days=detail), entries_before=TODAY)
            left = {one["id"] for one in database.rows(LlmUsage.select(LlmUsage.id))}
            pruned |= kept.keys() - left
        else:
            rows = [one for one in (row(*each) for each in detail) if one["id"] not in pruned]
            if not rows or (pruned and what != "write"):
                continue  # what is deleted does not come again, and what others wrote is found by the count before that
            if what == "write":
                insert(database, rows)
            else:
                old = LlmUsage.insert_many(rows).on_conflict_ignore()
                database.run(lambda one, old=old: old.execute(one))
                unseen = True
            for each in rows:
                kept.setdefault(each["id"], dict(each))
        if not unseen:
            for by in WAYS:
                assert said(database, by) == sums_of(list(kept.values()), by)
            some = [one for one in kept.values() if "2026-11-06" <= one["day"] <= "2026-11-26"]
            assert said(database, "user", since=date(2026, 11, 6), until=date(2026, 11, 26)) == sums_of(some, "user")


def test_users_beyond_the_most_are_one_row(database: Database) -> None:
    insert(database, [row(number, 0, "m1", "text", f"u{number}", 10 * number) for number in range(1, 6)])
    insert(database, [row(9, 0, "m1", "text", None, 1)])

    def names(most: int) -> list[tuple[str | None, int, int]]:
        return [(one.key, one.micro_dollars, one.requests) for one in spent_by_users(database, most=most)]

    assert names(2) == [("u5", 50, 1), ("u4", 40, 1), (None, 61, 4)]
    assert names(5) == [("u5", 50, 1), ("u4", 40, 1), ("u3", 30, 1), ("u2", 20, 1), ("u1", 10, 1), (None, 1, 1)]
    assert sum(money for _, money, _ in names(1)) == 151


def test_writers_at_once_lose_nothing(database: Database) -> None:
    def write(number: int) -> None:
        insert(database, [row(100 * number + each, each % 3, "m1", "text", f"u{each % 7}", each) for each in range(50)])
        roll_up(database, TODAY)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))

    assert sum(one.requests for one in spent(database, by="user")) == 400
    assert sum(one.micro_dollars for one in spent(database, by="model")) == 8 * sum(range(50))


def test_what_comes_late_is_seen_before_its_spans_are_made_anew(database: Database) -> None:
    insert(database, [row(number, number, "m1", "text", f"u{number % 3}", 10) for number in range(20)])
    made = make_spans(database, before=TODAY)
    late = make_spans(database, before=TODAY)

    insert(database, [row(50, 9, "m1", "text", "u1", 1000)])
    seen = {one.key: one.micro_dollars for one in spent(database, by="user")}
    anew = make_spans(database, before=TODAY)

    assert (made > 10, late, anew > 0) == (True, 0, True)
    assert (
        seen == {"u0": 70, "u1": 1070, "u2": 60} == {one.key: one.micro_dollars for one in spent(database, by="user")}
    )
    read = database.run(lambda one: one.execute_sql("SELECT max(days) FROM llm_usage_span").fetchone())
    assert read[0] >= 8


def row_of_a_user(number: int) -> dict[str, Any]:
    return row(number, 0, "m1", "text", "u1", 7)


@pytest.mark.parametrize("late", [False, True], ids=["erased", "erased late"])
def test_a_request_that_is_written_while_its_user_is_erased_is_counted(upgraded_postgres: Database, late: bool) -> None:
    """Its transaction is open when the erasure begins, and commits when that waits for it."""
    empty_tables(upgraded_postgres, SCHEMA)
    insert(upgraded_postgres, [row_of_a_user(1)])
    usage = SubjectUsage(upgraded_postgres)

    def erase() -> None:
        if late:
            usage.erase_late(lambda *_: True, since=datetime(2020, 1, 1, tzinfo=UTC))
        else:
            upgraded_postgres.transaction(lambda one: usage.erase_batch(one, "u1"))

    def somebody_waits() -> bool:
        [[count]] = upgraded_postgres.run(lambda one: one.execute_sql(_WAITING).fetchall())
        return bool(count)

    with ThreadPoolExecutor(1) as pool:

        def write(connection: Any) -> Future[None]:
            written = LlmUsage.insert(row_of_a_user(2)).returning(LlmUsage.id)
            list(written.execute(connection))
            add(connection, "postgresql", [("2026-11-28", "m1", "text", "u1", "", 7, 3, 3, None, 3)])
            erasing = pool.submit(erase)
            until(lambda: somebody_waits() or erasing.done(), "the erasure waits for it")
            return erasing

        upgraded_postgres.transaction(write).result()
        expected = {one["id"]: 7 for one in upgraded_postgres.rows(LlmUsage.select())}
        assert sum(expected.values()) == 14 == sum(one.micro_dollars for one in spent(upgraded_postgres, by="user"))
        erase()

    assert said(upgraded_postgres, "user") == {None: (2, 14, 0, 5, 5)}
    assert not upgraded_postgres.rows(LlmUsage.select().where(LlmUsage.user_id.is_null(False)))


_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""
