"""``growbin-jobs usage``: sums of what requests cost."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.cli import usage_view
from growbin_jobs.cli.console import out
from growbin_jobs.cli.days import first_day
from growbin_jobs.errors import ConfigurationError
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.spent import Spent
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database


@pytest.fixture(autouse=True)
def english(invoke, monkeypatch):
    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")


@pytest.fixture
def two_users(invoke, tmp_path):
    """Requests of two users, one of a model without a price; returns the command."""
    database = central_database(load(data_dir=tmp_path / "data"))
    ledger = UsageLedger(database, load_prices(), node="n1", zone=ZoneInfo("Asia/Seoul"), folder=tmp_path / "usage")
    for user, model in (("u-1", "gpt-6-luna"), ("u-1", "gpt-6-luna"), ("=cmd()", "llava")):
        with attributed(Attribution("a", user)):
            request = ModelRequest(model, "vision")
        request.status, request.usage = 200, Usage(1_000_000, 0, 2_000_000, 0)
        request.end(None)
        ledger.record(request)
    assert ledger.flush()
    ledger.close()
    database.close()
    return invoke


def test_without_any_request_it_says_so(invoke):
    done = invoke("usage")

    assert done.exit_code == 0
    assert "No request to a model server" in done.stderr


def test_sums_with_bars_and_a_total(two_users, monkeypatch):
    monkeypatch.setattr(out, "_width", 120)  # else that of the environment in which it was first imported

    done = two_users("usage", "--by", "user")

    assert done.exit_code == 0, done.output
    [head, first, second, total] = done.stdout.splitlines()
    assert head.split()[0] == "user"
    assert first.split()[:5] == ["u-1", "2", "2,000,000", "0", "4,000,000"]
    # 2 × (1,000,000 × $0.10 × 2 + 2,000,000 × $0.50 × 1.5): so many tokens are above the long context's threshold
    assert "3.4000" in first
    assert "█" in first
    assert "█" not in second
    assert "0.0000" in second
    assert total.split()[0] == "total"
    assert "3.4000" in total
    assert "1 requests have no known price" in done.stderr


def test_of_many_users_the_dearest_are_shown_and_the_others_added_up(capsys, monkeypatch):
    """Twenty thousand rows of a table take a minute to lay out, and nobody reads them."""
    monkeypatch.setattr(out, "_width", 120)
    sums = [Spent(f"u-{number:03}", 1, 10, 5, 1000 - number, 0) for number in range(60)]

    usage_view.print_sums("user", sums, "en", zone="UTC")

    printed = capsys.readouterr().out
    assert "u-049" in printed
    assert "u-050" not in printed
    [others] = [line for line in printed.splitlines() if line.startswith("10 others")]
    assert others.split()[-5:] == ["10", "100", "0", "50", "0.0095"]
    assert [line.split()[1] for line in printed.splitlines() if line.startswith("total")] == ["60"]


def test_json_has_whole_micro_dollars(two_users):
    done = two_users("usage", "--by", "model", "--json")

    assert [(one["key"], one["micro_dollars"], one["unpriced"]) for one in json.loads(done.stdout)] == [
        ("gpt-6-luna", 3_400_000, 0),
        ("llava", 0, 1),
    ]


def test_csv_is_read_back_and_starts_no_formula(two_users):
    done = two_users("usage", "--by", "user", "--csv")

    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["user"], row["micro_dollars"]) for row in rows] == [("u-1", "3400000"), ("'=cmd()", "0")]


def test_days_before_are_left_out(two_users):
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()

    assert json.loads(two_users("usage", "--since", tomorrow, "--json").stdout) == []


@pytest.mark.parametrize("arguments", [("--since", "yesterday-ish"), ("--csv", "--json")])
def test_what_makes_no_sense_is_refused(invoke, arguments):
    done = invoke("usage", *arguments)

    assert isinstance(done.exception, ConfigurationError)


def test_days_are_those_of_the_zone():
    late = datetime(2026, 11, 28, 15, 30, tzinfo=UTC)

    assert first_day("today", "Asia/Seoul", now=late) == date(2026, 11, 29)
    assert first_day("7d", "UTC", now=late) == date(2026, 11, 21)
    assert first_day("2026-01-31", "UTC") == date(2026, 1, 31)
