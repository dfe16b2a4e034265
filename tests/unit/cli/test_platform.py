"""``growbin-jobs health``, ``stats`` and ``archive`` on an empty platform and on what cannot be."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest


@pytest.mark.parametrize(
    ("words", "output"),
    [(["health", "list"], []), (["health", "events"], []), (["stats", "show"], []), (["archive", "list"], []),
     (["archive", "drill"], None), (["reports", "list"], []), (["subject", "erasures"], [])],
)  # fmt: skip
def test_an_empty_platform_is_an_empty_answer(command, words, output):
    done = command(*words, "--json")

    assert (done.returncode, json.loads(done.stdout)) == (0, output)


def test_a_month_is_counted_and_explained(command):
    backfilled = command(
        "stats", "backfill", "--kind", "monthly", "--from", "2026-01-01", "--to", "2026-02-28", "--json"
    )
    explained = command("stats", "explain", "2026-01", "--json")

    assert [each["outcome"] for each in json.loads(backfilled.stdout)] == ["counted", "counted"]
    assert all(each["stored"] == each["facts"] for each in json.loads(explained.stdout))
    assert "2026-01" in command("stats", "show", "--kind", "monthly", COLUMNS="200").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [(["health", "check", "agent:7"], "There is no agent 7"), (["health", "check", "7"], "neither agent:ID"),
     (["stats", "explain", "2026"], "is written as"), (["stats", "backfill", "--from", "1.1.26"], "is no day"),
     (["archive", "restore", "x"], "There is no archive x"), (["reports", "show"], "There is no weekly report yet")],
)  # fmt: skip
def test_what_cannot_be_is_a_sentence(command, words, says):
    done = command(*words)

    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.parametrize("columns", ["40", "100"])
def test_of_many_targets_the_ill_ones_come_first_and_all_are_counted(command, environment, columns):
    assert command("health", "list").returncode == 0
    now = datetime.now(ZoneInfo("UTC")).isoformat(timespec="microseconds")
    database = Path(environment["GROWBIN_DATA_DIR"]) / "central.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO health_states (target, state, since, reason, failures, successes, recent)"
            " VALUES (?, ?, ?, 'no connection', 0, 0, '[]')",
            [(f"agent:{number:03}", "unreachable" if number == 99 else "healthy", now) for number in range(100)],
        )

    done = command("health", "list", COLUMNS=columns, GROWBIN_LANGUAGE="en")

    assert done.returncode == 1
    assert "agent:099" in done.stdout[: done.stdout.index("agent:000")]
    assert "100 targets: 99 healthy, 1 unreachable" in done.stderr
    assert done.stdout.count("agent:") == 50
    assert "…" not in done.stdout


def test_where_nothing_is_refused_there_is_nothing_to_accept(command):
    done = command("stats", "accept-loss", "--from", "2026-03-01", "--to", "2026-03-31", "--json")

    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_a_loss_is_accepted_only_by_who_says_so(command, environment):
    """A call comes late for a time whose calls were deleted."""
    begin = (datetime.now(ZoneInfo("Asia/Seoul")) - timedelta(days=2)).date().isoformat()
    command("platform", "seed", "--days", "2", "--calls", "40", "--users", "10")
    database = Path(environment["GROWBIN_DATA_DIR"]) / "central.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO retention_limits VALUES ('api_calls', '2099-01-01T00:00:00.000000+00:00')")
    refused = command("stats", "accept-loss", "--from", begin)
    shown = json.loads(command("stats", "accept-loss", "--from", begin, "--dry-run", "--json").stdout)
    accepted = json.loads(command("stats", "accept-loss", "--from", begin, "--yes", "--json").stdout)

    assert (refused.returncode, "Add --yes" in refused.stderr) == (1, True)
    assert shown == accepted
    assert {each["source"] for each in shown} == {"api_calls"}
    assert sum(each["facts"] for each in shown) > 0
    assert json.loads(command("stats", "accept-loss", "--from", begin, "--yes", "--json").stdout) == []


def test_a_dry_run_counts(command):
    done = command("archive", "run", "old_logs", "--dry-run", "--json")

    sources = [each["source"] for each in json.loads(done.stdout)]
    assert sources == ["logs", "api_calls", "logins", "tasks", "health_events"]


def test_a_seeded_platform_is_counted_and_every_number_agrees_with_its_facts(command):
    size = ("--days", "2", "--calls", "40", "--users", "10")
    seeded = json.loads(command("platform", "seed", *size, "--json").stdout)
    begin = (datetime.now(ZoneInfo("Asia/Seoul")) - timedelta(days=2)).date().isoformat()
    command("stats", "backfill", "--from", begin)
    rows = json.loads(command("stats", "show", "--json").stdout)
    explained = command("stats", "explain", begin)

    assert len(rows) == 2
    assert sum(row["total_api_calls"] for row in rows) == seeded["api_calls"] > 0
    assert sum(row["total_sessions"] for row in rows) == seeded["sessions"]
    assert rows[0]["total_users"] == 10
    assert 0 < rows[0]["production_agents"] < rows[0]["total_agents"] == seeded["agents"]
    assert explained.returncode == 0


def test_a_person_is_handed_out_and_erased(command, tmp_path):
    """Nothing runs here: there is no node whose journal would have to be looked through."""
    command("platform", "seed", "--days", "2", "--calls", "4", "--users", "2")
    user = "sample-1-user-0"
    exported = json.loads(command("subject", "export", user, "--to", tmp_path / "out", "--json").stdout)
    erased = command("subject", "erase", user, "--yes", "--reason", "request 7", GROWBIN_LANGUAGE="ko")
    shown = json.loads(command("subject", "show", user, "--json").stdout)

    assert exported["rows"].keys() >= {"users", "logins", "sessions", "audit"}
    lines = (tmp_path / "out" / "logins.jsonl").read_text().splitlines()
    assert {json.loads(line)["user_id"] for line in lines} == {user}
    assert (erased.returncode, "모두 삭제했습니다" in erased.stderr) == (0, True)
    assert set(shown["held"]) == {"audit"}
    [record] = shown["erasures"]
    assert (record["reason"], record["pseudonym"], user in str(record)) == ("request 7", None, False)


def test_old_rows_are_counted_before_they_go(command):
    done = json.loads(command("db", "forget", "--dry-run", "--json").stdout)

    tables = [each["table"] for each in done["rows"]]
    assert done["dry_run"] is True
    assert {"task_attempts", "dead_letters", "llm_usage", "schedule_ledger"} <= set(tables)
    assert {each["rows"] for each in done["rows"]} == {0}
