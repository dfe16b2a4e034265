"""The guard of budgets: the most a request can cost is reserved before, and what it cost is booked after."""

import base64
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.attribution import Attribution
from growbin_jobs.adapters.llm.estimate import input_tokens
from growbin_jobs.adapters.llm.guards import PlannedRequest, admitted
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import Deferred, Permanent, Transient
from growbin_jobs.limits.bookkeeping import Totals
from growbin_jobs.limits.budget_guard import BudgetGuard, BudgetSpent
from growbin_jobs.limits.budget_report import budget_days, imbalances
from growbin_jobs.limits.budgets import EACH_USER, TOTAL, Budgets
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.worst_cost import MARGIN
from growbin_jobs.models import SCHEMA

SEOUL = ZoneInfo("Asia/Seoul")
DOLLAR = 1_000_000

#: Of gpt-6-luna: 1000 tokens and a margin, all written to the cache, and 1000 tokens of an answer.
MOST = 157 + 500


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=4, timeout=10)
    upgrade(database, SCHEMA)
    return database


def guard_of(database: Database, **options) -> BudgetGuard:
    caps = options.pop("caps", {TOTAL: DOLLAR})
    return BudgetGuard(Budgets(database, zone=SEOUL, defaults=caps), load_prices(), zone=SEOUL, **options)


def planned(model: str = "gpt-6-luna", *, user: str | None = "u1", tokens: int = 1000, **options) -> PlannedRequest:
    return PlannedRequest(model, "vision", tokens, 1000, attribution=Attribution("a1", user, "m1", 1), **options)


def ended(
    usage: Usage | None = None, *, status: int | None = 200, error: Exception | None = None, tier: str | None = None
) -> ModelRequest:
    record = ModelRequest("gpt-6-luna", "vision")
    record.status, record.usage, record.service_tier = status, usage, tier
    record.end(error)
    return record


def books(database: Database) -> dict[str, Totals]:
    today = datetime.now(SEOUL).date()
    assert imbalances(database, today) == []
    days = budget_days(database, today)
    return {one.name: Totals(one.reserved, one.settled, one.released, one.unknown) for one in days}


def test_the_worst_case_is_reserved_and_what_it_cost_is_settled(database: Database) -> None:
    guard = guard_of(database)

    with admitted([guard], planned()) as ending:
        assert books(database) == {TOTAL: Totals(MOST), "user:u1": Totals(MOST)}
        record = ended(Usage(900, 0, 100, 0))
        ending.note(record, None)

    assert books(database)[TOTAL] == Totals(MOST, 90 + 50, MOST - 140, 0)
    rows = database.run(lambda one: list(one.execute_sql("SELECT usage_id FROM budget_entry")))
    assert rows == [(record.id,)] * 2


def test_what_was_not_sent_is_released(database: Database) -> None:
    with pytest.raises(Deferred), admitted([guard_of(database)], planned()):
        raise Deferred("a later guard refuses", wait=1)

    assert books(database)[TOTAL] == Totals(MOST, 0, MOST, 0)


@pytest.mark.parametrize(
    ("record", "totals"),
    [
        # litellm#37992: nothing counted is not nothing said.
        (ended(Usage(0, 0, 0, 0)), Totals(MOST, 0, MOST, 0)),
        (ended(None), Totals(MOST, 0, 0, MOST)),
        # litellm#13245: it may have been billed.
        (ended(status=None, error=Transient("no answer", max_retries=2)), Totals(MOST, 0, 0, MOST)),
        (ended(status=429, error=Deferred("wait", wait=1)), Totals(MOST, 0, MOST, 0)),
        (ended(status=500, error=Transient("failed")), Totals(MOST, 0, MOST, 0)),
        (ended(Usage(900, 0, 100, 0), tier="a new one"), Totals(MOST, 0, 0, MOST)),
    ],
    ids=["zero tokens", "no tokens said", "timeout", "rate limited", "failed", "tier without a price"],
)
def test_each_end_is_booked_as_what_is_known(database: Database, record: ModelRequest, totals: Totals) -> None:
    with admitted([guard_of(database)], planned()) as ending:
        ending.note(record, None)

    assert books(database)[TOTAL] == totals


def test_a_server_that_was_never_reached_is_paid_nothing(database: Database) -> None:
    record = ended(status=None, error=Transient("no connection"))
    record.reached = False
    with admitted([guard_of(database)], planned()) as ending:
        ending.note(record, None)

    assert books(database)[TOTAL] == Totals(MOST, 0, MOST, 0)


def test_a_spent_budget_defers_and_says_which(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    guard = guard_of(database, caps={TOTAL: DOLLAR, EACH_USER: MOST})
    guard.admit(planned(user="u1"))

    refused = []
    for _ in range(3):
        with pytest.raises(BudgetSpent) as caught:
            guard.admit(planned(user="u1"))
        refused.append(caught.value.budget)

    assert refused == ["user:u1"] * 3
    assert 0 < caught.value.wait <= 1800
    assert caplog.text.count("budget.spent") == 1
    assert "u1" not in caplog.text
    guard.admit(planned(user="u2"))


def test_where_the_setting_says_so_it_is_given_up(database: Database) -> None:
    with pytest.raises(Permanent) as caught:
        guard_of(database, caps={TOTAL: 0}, exhausted="refuse").admit(planned())

    assert caught.value.code == "budget_spent"


def test_nearly_spent_is_told_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    guard = guard_of(database, caps={TOTAL: 10 * MOST})
    for _ in range(10):
        guard.admit(planned(user=None))

    assert caplog.text.count("budget.nearly_spent") == 1
    assert "budget.spent" not in caplog.text


def test_a_model_without_a_price_is_asked_and_told_of_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    guard = guard_of(database, caps={TOTAL: 0})
    for _ in range(2):
        with admitted([guard], planned("llava")) as ending:
            ending.note(ended(Usage(1, 0, 1, 0)), None)

    assert books(database) == {}
    assert caplog.text.count("budget.no_price model=llava") == 1


def test_a_model_without_a_price_waits_where_the_setting_says_so(database: Database) -> None:
    with pytest.raises(Deferred, match="GROWBIN_PRICES_FILE"):
        guard_of(database, unknown_price="refuse").admit(planned("llava"))


def test_a_model_that_costs_nothing_is_in_no_budget(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    free = {"unit": "USD per 1,000,000 tokens", "tiers": {"default": "1"}}
    free["models"] = {"own": [{"from": "2026-01-01", "input": "0", "output": "0"}]}
    file.write_text(json.dumps(free))
    guard = BudgetGuard(Budgets(database, zone=SEOUL, defaults={TOTAL: 0}), load_prices(file), zone=SEOUL)

    guard.admit(planned("own"))

    assert books(database) == {}


def test_a_picture_reserves_by_its_pixels_and_not_by_its_base64() -> None:
    # A JPEG of 1024 × 768 and 130 kB: SOI, SOF0, and then filling.
    frame = bytes.fromhex("ffc00011080300040003012200021101031101")
    picture = b"\xff\xd8" + frame + b"\x00" * 130_000
    url = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    tokens = input_tokens([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])

    most = load_prices().most("gpt-6-luna", int(tokens * MARGIN), 0, datetime.now(UTC).date())

    assert 700 <= tokens <= 3000
    assert most is not None
    assert most <= 3000 * 0.125


def test_the_estimate_learns_what_the_server_counts(database: Database) -> None:
    guard = guard_of(database)
    for _ in range(60):
        with admitted([guard], planned(user=None)) as ending:
            ending.note(ended(Usage(3000, 0, 0, 0)), None)
    before = books(database)[TOTAL].reserved
    guard.admit(planned(user=None))

    reserved = books(database)[TOTAL].reserved - before
    assert reserved >= 3000 * 0.125 + 500


def test_the_tier_that_was_charged_is_reserved_from_then_on(database: Database) -> None:
    guard = guard_of(database)
    with admitted([guard], planned(user=None)) as ending:
        ending.note(ended(Usage(0, 0, 0, 0), tier="priority"), None)
    before = books(database)[TOTAL].reserved
    guard.admit(planned(user=None))

    assert books(database)[TOTAL].reserved - before in (2 * MOST, 2 * MOST - 1)


def test_while_the_database_is_away_nothing_is_sent_and_nothing_is_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guard_of(database)
    held = guard.admit(planned(user=None))
    with monkeypatch.context() as away:
        away.setattr(database, "transaction", lambda *_, **__: (_ for _ in ()).throw(Deferred("away", wait=5)))
        held.settle(ended(Usage(900, 0, 100, 0)), None)
        with pytest.raises(Deferred, match="away"):
            guard.admit(planned(user=None))
    assert books(database)[TOTAL] == Totals(MOST)

    guard.admit(planned(user=None))

    assert books(database)[TOTAL] == Totals(2 * MOST, 140, MOST - 140, 0)


def test_a_change_that_is_refused_later_fails_nobody_else(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard = guard_of(database)
    held = guard.admit(planned(user=None))
    with monkeypatch.context() as away:
        away.setattr(database, "transaction", lambda *_, **__: (_ for _ in ()).throw(Deferred("away", wait=5)))
        held.release()
    with monkeypatch.context() as refusing:
        refusing.setattr(Budgets, "release", lambda *_: (_ for _ in ()).throw(Transient("refused")))
        guard.admit(planned(user=None))

    assert "budget.change_refused" in caplog.text
    assert books(database)[TOTAL] == Totals(2 * MOST)


def test_a_reservation_that_may_have_been_written_is_given_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guard_of(database)
    guard.admit(planned(user=None)).release()
    whole = database.transaction

    def cut(work, **durability):
        whole(work, **durability)
        raise Deferred("the connection broke after the commit", wait=5)

    with monkeypatch.context() as away:
        away.setattr(database, "transaction", cut)
        with pytest.raises(Deferred):
            guard.admit(planned(user=None))
    assert books(database)[TOTAL] == Totals(2 * MOST, 0, MOST, 0)

    held = guard.admit(planned(user=None))
    held.release()

    assert books(database)[TOTAL] == Totals(3 * MOST, 0, 3 * MOST, 0)


def test_logs_name_no_user(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    guard = guard_of(database, caps={EACH_USER: MOST})
    guard.admit(planned(user="u-secret"))
    with pytest.raises(BudgetSpent) as caught:
        guard.admit(planned(user="u-secret"))

    assert "u-secret" not in caplog.text + str(caught.value)
