"""The rows of model requests, on both databases."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.reply import Usage
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.errors import Deferred, Transient
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.usage import LlmUsage, Spent, spent
from growbin_jobs.models import SCHEMA

SEOUL = ZoneInfo("Asia/Seoul")
TOKENS = Usage(prompt=100_000, cached=0, completion=1000, reasoning=0)
COST = 10_000 + 500


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> UsageLedger:
    return UsageLedger(database, load_prices(), node="n1", zone=SEOUL)


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


def rows(database: Database) -> list[dict]:
    return database.rows(LlmUsage.select().order_by(LlmUsage.sent_at))


def test_the_table_has_the_model_s_columns(database: Database, ledger: UsageLedger) -> None:
    ledger.record(ended())

    [row] = rows(database)
    assert set(row) == {field.name for field in LlmUsage._meta.sorted_fields}


def test_a_request_is_one_row_with_all_that_is_known(database: Database, ledger: UsageLedger) -> None:
    with attributed(Attribution("a1", "u1", "m1", 2)):
        request = ended(tier="flex", served="gpt-6-luna-2026-09-22")
    ledger.record(request)

    [row] = rows(database)
    assert (row["analysis_id"], row["user_id"], row["message_id"], row["attempt"]) == ("a1", "u1", "m1", 2)
    assert (row["model"], row["served_model"], row["tier_served"]) == ("gpt-6-luna", "gpt-6-luna-2026-09-22", "flex")
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
    ledger.record(request_)

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
    ledger.record(ended(sent_at=sent_at))

    assert [row["day"] for row in rows(database)] == [day]


def test_the_sums(database: Database, ledger: UsageLedger) -> None:
    for user, day, model, purpose in [
        ("u1", 27, "gpt-6-luna", "vision"),
        ("u1", 28, "gpt-6-luna", "vision"),
        ("u2", 28, "gpt-4o-mini", "text"),
        ("u2", 28, "llava", "text"),
    ]:
        with attributed(Attribution(user_id=user)):
            ledger.record(ended(model=model, purpose=purpose, sent_at=datetime(2026, 11, day, 3, tzinfo=UTC)))
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
    database: Database, ledger: UsageLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(database, "run", lambda work: (_ for _ in ()).throw(Deferred("away", wait=5)))
        for _ in range(3):
            ledger.record(ended())
        assert ledger.waiting == 3

    ledger.record(ended())

    assert (ledger.waiting, len(rows(database))) == (0, 4)


def test_an_absurd_count_costs_no_row(database: Database, ledger: UsageLedger) -> None:
    ledger.record(ended(usage=Usage(10**30, 0, 10**30, 0)))

    assert [row["tokens_in"] for row in rows(database)] == [2**62]


def test_one_row_that_is_refused_costs_no_other(database: Database, ledger: UsageLedger) -> None:
    with attributed(Attribution("a1\0\udcff", "u1")):
        ledger._waiting.append(ledger._row(ended()))
    poison = ledger._row(ended()) | {"model": None}
    ledger._waiting.extend([poison, ledger._row(ended())])

    ledger.record(ended())

    assert (ledger.waiting, len(rows(database))) == (0, 3)


def test_a_row_whose_write_was_only_not_confirmed_is_one_row(database: Database, ledger: UsageLedger) -> None:
    run, cut = database.run, [True]

    def cut_once(work):
        done = run(work)
        if cut:
            cut.pop()
            raise Deferred("the connection broke after the commit", wait=5)
        return done

    ledger._database = type("Cut", (), {"run": staticmethod(cut_once)})()
    ledger.record(ended())
    assert ledger.waiting == 1
    ledger.flush()

    assert (ledger.waiting, len(rows(database))) == (0, 1)
