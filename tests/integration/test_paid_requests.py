"""What a model server does, and what the books then say: usage, budgets and shared answers, on both databases."""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.vision import OnlineVision, Vision
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import Deferred, GrowbinError
from growbin_jobs.limits.bookkeeping import Totals
from growbin_jobs.limits.budget_guard import BudgetGuard
from growbin_jobs.limits.budget_report import budget_days, imbalances
from growbin_jobs.limits.budgets import TOTAL, Budgets
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.answers import SharedAnswers

STUB = Path(__file__).parents[1] / "stubs" / "openai_server.py"
spec = importlib.util.spec_from_file_location("openai_server", STUB)
assert spec is not None
assert spec.loader is not None
openai_server = importlib.util.module_from_spec(spec)
sys.modules["openai_server"] = openai_server
spec.loader.exec_module(openai_server)

SEOUL = ZoneInfo("Asia/Seoul")
ITEMS = [KnownItem("general", "기타", "other"), KnownItem("pet_bottle", "페트병", "PET bottle")]


@dataclass
class Node:
    """One node: its path to answers, and what measures and guards it."""

    database: Database
    ledger: UsageLedger
    vision: Vision

    def rows(self) -> list[dict[str, Any]]:
        assert self.ledger.flush()
        return self.database.rows(LlmUsage.select().order_by(LlmUsage.sent_at))

    def total(self) -> Totals:
        today = datetime.now(SEOUL).date()
        assert imbalances(self.database, today) == []
        [one] = [one for one in budget_days(self.database, today) if one.name == TOTAL]
        return Totals(one.reserved, one.settled, one.released, one.unknown)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("lent_postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=8, timeout=30)
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture
def stub() -> Iterator[Any]:
    with openai_server.StubOpenAI(key="sk-canary-0123456789") as server:
        yield server
        assert server.violations == []


@pytest.fixture
def node(database: Database, stub: Any, tmp_path: Path) -> Iterator[Node]:
    prices = load_prices()
    ledger = UsageLedger(database, prices, node="n1", zone=SEOUL, folder=tmp_path / "usage")
    guard = BudgetGuard(Budgets(database, zone=SEOUL, defaults={TOTAL: 10**6}), prices, zone=SEOUL)
    client = ModelClient(api_key="sk-canary-0123456789", base_url=stub.url, meter=ledger, guards=(guard,))
    client.warm_up()
    call = Call("gpt-5", 2.0, 1000, reasoning_effort="minimal", purpose="vision")
    answers = Answers(VisionAnswer, None, patience=20, shared=SharedAnswers(database, ttl=3600))
    yield Node(database, ledger, Vision(OnlineVision(client, call=call, items=ITEMS), answers))
    ledger.close()


def picture(number: int = 0) -> bytes:
    return b"\xff\xd8\xff\xe0" + number.to_bytes(4, "big") + b"picture" * 100


@pytest.mark.parametrize(
    "behaviour", ["error_200", "html", "refusal", "not_json", "unknown_item", "empty", "429", "503"]
)
def test_what_is_no_answer_is_not_kept(node: Node, stub: Any, behaviour: str) -> None:
    stub.script(behaviour)
    with pytest.raises(GrowbinError):
        node.vision.answer(picture())
    kept = node.database.run(
        lambda one: list(one.execute_sql("SELECT key FROM model_answer WHERE response IS NOT NULL"))
    )
    assert kept == []

    assert node.vision.answer(picture()).from_cache is False
    assert node.vision.answer(picture()).from_cache is True
    assert len(stub.requests) == 2


@pytest.mark.parametrize("behaviour", ["ok", "length", "no_json_schema", "429", "503", "refusal", "no_usage", "hang"])
def test_requests_of_the_server_are_rows_and_reservations(node: Node, stub: Any, behaviour: str) -> None:
    stub.script(behaviour)
    with contextlib.suppress(GrowbinError), attributed(Attribution("a1", "u1", "m1", 1)):
        node.vision.answer(picture())
    stub.release()

    rows = node.rows()
    sql = "SELECT usage_id FROM budget_entry WHERE name = 'total'"
    reserved = node.database.run(lambda one: [row[0] for row in one.execute_sql(sql)])
    assert len(rows) == len(stub.requests)
    assert sorted(reserved) == sorted(row["id"] for row in rows)
    assert {row["user_id"] for row in rows} == {"u1"}
    totals = node.total()
    assert totals.open == 0
    assert totals.settled == sum(row["cost"] or 0 for row in rows)
    assert (totals.unknown > 0) is any(row["cost"] is None for row in rows)


def test_a_time_out_is_perhaps_billed_and_its_money_stays_spent(node: Node, stub: Any) -> None:
    stub.script("hang")
    with pytest.raises(GrowbinError) as caught:
        node.vision.answer(picture())
    stub.release()

    [row] = node.rows()
    assert (row["outcome"], row["billed"], row["cost"]) == ("timeout", "unknown", None)
    assert getattr(caught.value, "max_retries", None) == 2
    totals = node.total()
    assert totals.unknown == totals.reserved > 0


def test_an_answer_costs_what_its_tokens_cost(node: Node, stub: Any) -> None:
    node.vision.answer(picture())

    [row] = node.rows()
    # (900 − 128) × $1.25 + 128 × $0.125 + 40 × $10.00, for a million
    assert row["cost"] == 965 + 16 + 400
    assert (row["tokens_in"], row["tokens_cached"], row["tokens_reasoning"], row["tokens_out"]) == (900, 128, 8, 40)
    assert row["first_byte_ms"] is not None
    assert stub.requests


def test_a_budget_that_is_spent_sends_nothing(node: Node, stub: Any) -> None:
    node.database.run(lambda one: one.execute_sql("INSERT INTO budget (name, cap, changed_at) VALUES ('total', 0, 0)"))

    with pytest.raises(Deferred, match="budget"):
        node.vision.answer(picture())

    assert stub.requests == []
    assert node.rows() == []
