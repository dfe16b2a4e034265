"""The rows of model requests, on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Deferred, Transient
from growbin_jobs.limits.budgets import Budgets
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.spent import GroupBy, Spent, spent
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.limits.usage_days import prune, roll_up

SEOUL = ZoneInfo("Asia/Seoul")
TOKENS = Usage(prompt=100_000, cached=0, completion=1000, reasoning=0)
COST = 10_000 + 500


def open_ledger(database: Database, folder: Path) -> UsageLedger:
    return UsageLedger(database, load_prices(), node="n1", zone=SEOUL, folder=folder)


@pytest.fixture
def ledger(database: Database, tmp_path: Path) -> Iterator[UsageLedger]:
    ledger = open_ledger(database, tmp_path / "usage")
    yield ledger
    ledger.close()


@pytest.fixture
def away(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The database is away, until it is undone."""
    with monkeypatch.context() as patch:
        patch.setattr(database, "run", lambda work: (_ for _ in ()).throw(Deferred("away", wait=5)))
        yield patch


def ended(
    error: Exception | None = None,
    *,
    model: str = "gpt-6-luna",
    usage: Usage | None = TOKENS,
    status: int | None = 200,
    sent_at: datetime = datetime(2026, 11, 28, 12, tzinfo=UTC),
    purpose: str = "vision",
    tier: str | None = None,
    served: str | None = None,
) -> ModelRequest:
    request = ModelRequest(model, purpose, sent_at=sent_at.timestamp())
    request.status, request.usage, request.service_tier, request.served_model = status, usage, tier, served
    request.end(error)
    return request


def write(ledger: UsageLedger, *requests: ModelRequest) -> None:
    for request in requests:
        ledger.record(request)
    assert ledger.flush()


def rows(database: Database) -> list[dict]:
    return database.rows(LlmUsage.select().order_by(LlmUsage.sent_at))


def test_the_table_has_the_model_s_columns(database: Database, ledger: UsageLedger) -> None:
    write(ledger, ended())

    [row] = rows(database)
    assert set(row) == {field.name for field in LlmUsage._meta.sorted_fields}


def test_a_request_is_one_row_with_all_that_is_known(database: Database, ledger: UsageLedger) -> None:
    with attributed(Attribution("a1", "u1", "m1", 2)):
        request = ended(tier="flex", served="gpt-6-luna-2026-09-22")
    write(ledger, request)

    [row] = rows(database)
    assert (row["analysis_id"], row["user_id"], row["message_id"], row["attempt"]) == ("a1", "u1", "m1", 2)
    assert (row["model"], row["served_model"], row["tier_served"]) == ("gpt-6-luna", "gpt-6-luna-2026-09-22", "flex")
    assert row["id"] == request.id
    assert (row["tokens_in"], row["tokens_out"], row["cost"], row["price_version"]) == (
        100_000,
        1000,
        COST // 2,
        "gpt-6-luna@2026-09-22",
    )
    assert (row["outcome"], row["billed"], row["status"], row["node"]) == ("answered", "yes", 200, "n1")
    assert row["sent_at"] == datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("request_", "billed", "cost"),
    [
        (ended(usage=Usage(0, 0, 0, 0)), "yes", 0),
        (ended(usage=None), "yes", None),
        (ended(model="llava"), "yes", None),
        (ended(tier="platinum"), "yes", None),
        (ended(Transient("no answer", max_retries=2), usage=None, status=None), "unknown", None),
        (ended(Deferred("wait", wait=5), usage=None, status=429), "no", 0),
    ],
    ids=["zero tokens", "no tokens said", "no price", "unknown tier", "timeout", "rate limited"],
)
def test_zero_unknown_and_unpriced_are_three_things(
    database: Database, ledger: UsageLedger, request_: ModelRequest, billed: str, cost: int | None
) -> None:
    write(ledger, request_)

    [row] = rows(database)
    assert (row["billed"], row["cost"]) == (billed, cost)


@pytest.mark.parametrize(
    ("sent_at", "day"),
    [
        (datetime(2026, 11, 28, 14, 59, 59, tzinfo=UTC), "2026-11-28"),
        (datetime(2026, 11, 28, 15, 0, 0, tzinfo=UTC), "2026-11-29"),
    ],
)
def test_the_day_is_that_of_the_stated_zone(
    database: Database, ledger: UsageLedger, sent_at: datetime, day: str
) -> None:
    write(ledger, ended(sent_at=sent_at))

    assert [row["day"] for row in rows(database)] == [day]


def test_the_sums(database: Database, ledger: UsageLedger) -> None:
    for user, day, model, purpose in [
        ("u1", 27, "gpt-6-luna", "vision"),
        ("u1", 28, "gpt-6-luna", "vision"),
        ("u2", 28, "gpt-4o-mini", "text"),
        ("u2", 28, "llava", "text"),
    ]:
        with attributed(Attribution(user_id=user)):
            write(ledger, ended(model=model, purpose=purpose, sent_at=datetime(2026, 11, day, 3, tzinfo=UTC)))
    mini = 15_000 + 600

    assert spent(database, by="day") == [
        Spent("2026-11-27", 1, 100_000, 1000, COST, 0),
        Spent("2026-11-28", 3, 300_000, 3000, COST + mini, 1),
    ]
    assert spent(database, by="user") == [
        Spent("u1", 2, 200_000, 2000, 2 * COST, 0),
        Spent("u2", 2, 200_000, 2000, mini, 1),
    ]
    assert [(one.key, one.micro_dollars) for one in spent(database, by="model")] == [
        ("gpt-6-luna", 2 * COST),
        ("gpt-4o-mini", mini),
        ("llava", 0),
    ]
    assert [one.key for one in spent(database, by="purpose", since=date(2026, 11, 28))] == ["text", "vision"]
    assert spent(database, by="day", until=date(2026, 11, 26)) == []


def test_rows_wait_while_the_database_is_away_and_none_is_lost_or_doubled(
    database: Database, ledger: UsageLedger, away: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        ledger.record(ended())
    assert not ledger.flush()
    assert ledger.waiting == 3
    away.undo()

    write(ledger, ended())

    assert (ledger.waiting, len(rows(database))) == (0, 4)


def test_rows_outlive_their_process_while_the_database_is_away(
    database: Database, ledger: UsageLedger, away: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requests = [ended(), ended(usage=None), ended(Deferred("wait", wait=5), usage=None, status=429)]
    for request in requests:
        ledger.record(request)
    ledger.close()
    assert ledger.waiting == 0
    away.undo()

    following = open_ledger(database, tmp_path / "usage")
    assert following.flush()

    assert {(row["id"], row["cost"]) for row in rows(database)} == {
        (requests[0].id, COST),
        (requests[1].id, None),
        (requests[2].id, 0),
    }
    assert list((tmp_path / "usage").iterdir()) == []


def test_the_thread_of_the_process_writes_by_itself(database: Database, ledger: UsageLedger) -> None:
    written = threading.Event()
    run = database.run

    def told(work):
        done = run(work)
        written.set()
        return done

    database.run = told  # type: ignore[method-assign]
    ledger.record(ended())

    assert written.wait(60)
    assert len(rows(database)) == 1


def test_more_than_memory_holds_goes_to_the_disk(
    database: Database, ledger: UsageLedger, away: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("growbin_jobs.limits.ledger.MOST_KEPT", 2)
    for _ in range(5):
        ledger.record(ended())
    assert ledger.waiting <= 2
    away.undo()

    assert ledger.flush()
    assert len(rows(database)) == 5


def test_an_absurd_count_costs_no_row(database: Database, ledger: UsageLedger) -> None:
    write(ledger, ended(usage=Usage(10**30, 0, 10**30, 0)))

    assert [row["tokens_in"] for row in rows(database)] == [2**62]


def test_one_row_that_is_refused_costs_no_other(database: Database, ledger: UsageLedger) -> None:
    with attributed(Attribution("a1\0\udcff", "u1")):
        odd = ended()
    poison = ended()
    poison.model = None  # type: ignore[assignment]

    write(ledger, odd, poison, ended())

    assert (ledger.waiting, len(rows(database))) == (0, 2)


def test_a_row_whose_write_was_only_not_confirmed_is_one_row(
    database: Database, ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, cut = database.run, [True]

    def cut_once(work):
        done = run(work)
        if cut:
            cut.pop()
            raise Deferred("the connection broke after the commit", wait=5)
        return done

    monkeypatch.setattr(database, "run", cut_once)
    ledger.record(ended())
    ledger.close()
    assert ledger.flush()

    assert (ledger.waiting, len(rows(database))) == (0, 1)


def test_days_that_were_added_up_say_the_same_and_outlive_their_requests(
    database: Database, ledger: UsageLedger
) -> None:
    today = date(2026, 11, 28)
    for day in (10, 20, 27, 28):
        for user, model in (("u1", "gpt-6-luna"), (None, "llava")):
            with attributed(Attribution(user_id=user)):
                write(ledger, ended(model=model, sent_at=datetime(2026, 11, day, 3, tzinfo=UTC)))
    ways: tuple[GroupBy, ...] = ("day", "model", "user", "purpose")
    before = {by: spent(database, by=by) for by in ways}

    assert (roll_up(database, today), roll_up(database, today)) == (2, 0)
    assert {by: spent(database, by=by) for by in ways} == before
    assert prune(database, requests_before=date(2026, 11, 28), entries_before=today) == 4
    assert {by: spent(database, by=by) for by in ways} == before
    assert [one.key for one in spent(database, by="day", since=date(2026, 11, 11), until=date(2026, 11, 27))] == [
        "2026-11-20",
        "2026-11-27",
    ]


def test_a_row_that_comes_late_is_added_up_too(database: Database, ledger: UsageLedger) -> None:
    early = datetime(2026, 11, 20, 3, tzinfo=UTC)
    write(ledger, ended(sent_at=early))
    assert roll_up(database, date(2026, 11, 28)) == 1
    write(ledger, ended(sent_at=early), ended(sent_at=early - timedelta(days=3)))

    assert roll_up(database, date(2026, 11, 28)) == 2
    assert [(one.key, one.requests) for one in spent(database, by="day")] == [("2026-11-17", 1), ("2026-11-20", 2)]


def test_keepers_that_add_up_at_once_add_up_once(database: Database, ledger: UsageLedger) -> None:
    write(ledger, *(ended(sent_at=datetime(2026, 11, day, 3, tzinfo=UTC)) for day in range(1, 20)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: roll_up(database, date(2026, 11, 28)), range(4)))

    assert [one.requests for one in spent(database, by="day")] == [1] * 19


def test_ended_reservations_are_pruned_and_open_ones_stay(database: Database) -> None:
    at = datetime(2026, 10, 1, 3, tzinfo=UTC).timestamp()
    budgets = Budgets(database, zone=SEOUL, clock=lambda: at)
    for reservation in ("ended", "open"):
        budgets.reserve(reservation, ["total"], 5)
    budgets.settle("ended", 3)

    assert prune(database, requests_before=date(2026, 11, 1), entries_before=date(2026, 11, 1)) == 1
    left = database.run(lambda connection: list(connection.execute_sql("SELECT id FROM budget_entry")))
    assert left == [("open",)]
