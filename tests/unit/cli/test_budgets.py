"""``growbin-jobs budgets``: caps and what was spent of them."""

import json
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.budgets import Budgets
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database


@pytest.fixture(autouse=True)
def english(invoke, monkeypatch):
    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")


@pytest.fixture
def database(invoke, tmp_path):
    database = central_database(load(data_dir=tmp_path / "data"))
    yield database
    database.close()


def spend(database, amount, cost, user="u-1"):
    budgets = Budgets(database, zone=ZoneInfo("Asia/Seoul"), defaults={"total": 1_000_000})
    reservation = uuid4().hex
    assert budgets.reserve(reservation, ["total", f"user:{user}"], amount).refused_by is None
    budgets.settle(reservation, cost)


def test_caps_of_the_settings_are_shown(invoke):
    done = invoke("budgets", "list", GROWBIN_BUDGET_PER_DAY="25", GROWBIN_BUDGET_PER_USER_DAY="0.1")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["each-user: 0.1000 USD a day", "total: 25.0000 USD a day"]
    assert "Nothing was reserved" in done.stderr


def test_a_cap_that_is_set_wins_until_the_default_is_wanted(invoke):
    assert "total: 5.0000 USD a day" in invoke("budgets", "set", "total", "5").stdout
    assert "user:u-42: no limit" in invoke("budgets", "set", "user:u-42", "none").stdout

    shown = json.loads(invoke("budgets", "list", "--json", GROWBIN_BUDGET_PER_DAY="25").stdout)
    assert shown["caps"] == {"total": 5_000_000, "each-user": None, "user:u-42": None}

    done = invoke("budgets", "set", "total", "--default", GROWBIN_BUDGET_PER_DAY="25")
    assert done.stdout == "total: 25.0000 USD a day\n"


def test_what_was_spent_is_shown_with_bars(invoke, database):
    spend(database, 500_000, 400_000)
    spend(database, 300_000, None)

    done = invoke("budgets", "list", COLUMNS="120", GROWBIN_BUDGET_PER_DAY="1")

    assert done.exit_code == 0, done.output
    total = next(line for line in done.stdout.splitlines() if line.startswith("total "))
    assert total.split()[-5:] == ["0.7000", "0.4000", "0.3000", "0.0000", "0.3000"]
    assert "█" in total


def test_books_that_do_not_agree_are_an_error(invoke, database):
    spend(database, 500_000, 400_000)
    database.run(lambda one: one.execute_sql("UPDATE budget_day SET settled = settled + 1 WHERE name = 'total'"))

    done = invoke("budgets", "list", "--json")

    assert done.exit_code == 1
    assert [one["name"] for one in json.loads(done.stdout)["imbalances"]] == ["total"]


@pytest.mark.parametrize(
    "arguments",
    [("total",), ("total", "5", "--default"), ("total", "much"), ("everything", "5"), ("total", "0.0000001")],
)
def test_what_makes_no_sense_is_refused(invoke, arguments):
    assert isinstance(invoke("budgets", "set", *arguments).exception, ConfigurationError)
