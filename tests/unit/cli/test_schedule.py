"""``growbin-jobs schedule …`` as a person runs it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.upgraded import upgrade

from growbin_jobs.cli.person import name_of_person
from growbin_jobs.cli.schedule_view import _lateness
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.rows import LedgerRow, RunState
from growbin_jobs.scheduler.table import JOBS, ONCE


@pytest.fixture
def database(environment):
    folder = Path(environment["GROWBIN_DATA_DIR"])
    opened = open_database(None, default_path=folder / "central.db", pool_size=2, timeout=10)
    upgrade(opened, SCHEMA)
    yield opened
    opened.close()


@pytest.fixture
def registered(database):
    """The schedule two hours after a scheduler has registered it, and looked once."""
    now = [datetime.now(UTC) - timedelta(hours=2)]
    ledger = Ledger(database, "a", clock=lambda _: now[0])
    ledger.registry.register(ONCE, ZoneInfo("Asia/Seoul"))
    now[0] += timedelta(hours=2)
    for job in ONCE:
        for claim in ledger.advance(job):
            ledger.sent(claim)
    # On Mondays the weekly report is among them, which waits for statistics that nobody makes here.
    waits = LedgerRow.update(done_by=now[0] + timedelta(days=1)).where(LedgerRow.state == RunState.DUE)
    database.run(waits.execute)
    return database


def test_a_plan_of_a_new_database_is_all_new_and_replays_nothing(invoke):
    done = invoke("schedule", "plan")

    assert done.exit_code == 0
    assert "+ reports.weekly  0 9 * * 1 in Asia/Seoul" in done.stdout
    assert f"변경 {len(ONCE)}개, 다시 실행 0개" in done.stderr
    assert {json.loads(line)["kind"] for line in invoke("schedule", "plan", "--json").stdout.splitlines()} == {"new"}


def test_a_plan_of_what_is_registered_is_empty_and_one_of_another_zone_is_an_edit(invoke, registered):
    assert invoke("schedule", "plan").stdout == ""
    edited = invoke("schedule", "plan", GROWBIN_TIMEZONE="America/New_York")

    assert "~ reports.weekly  0 9 * * 1 in Asia/Seoul → 0 9 * * 1 in America/New_York; next run" in edited.stdout


def test_all_jobs_are_listed(invoke, registered):
    done = invoke("schedule", "list")

    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [job.name for job in JOBS]
    assert "모든 노드의 키퍼가 실행" in done.stdout
    checks = next(line for line in done.stdout.splitlines() if line.startswith("health.check_all_agents"))
    assert checks.endswith("sent")


def test_a_job_that_failed_is_an_exit_code_and_a_finding_of_the_doctor(invoke, registered):
    failed = {"state": RunState.FAILED, "reason": "the agents' table is locked", "ended_at": datetime.now(UTC)}
    query = LedgerRow.update(failed).where((LedgerRow.job == "health.check_all_agents") & (LedgerRow.state == "sent"))
    registered.run(query.execute)

    listed = invoke("schedule", "list", "--json")
    assert listed.exit_code == 1
    [job] = [job for job in json.loads(listed.stdout) if job["job"] == "health.check_all_agents"]
    assert (job["last"]["outcome"], job["last"]["reason"]) == ("failed", "the agents' table is locked")
    doctor = invoke("doctor", "--json")
    assert doctor.exit_code == 1
    details = [each["detail"] for each in json.loads(doctor.stdout) if each["status"] == "failed"]
    assert any("the agents' table is locked" in each and "schedule history" in each for each in details)


def test_the_doctor_says_that_nobody_fires_what_is_due(invoke, database):
    ledger = Ledger(database, "a", clock=lambda _: datetime.now(UTC) - timedelta(hours=2))
    ledger.registry.register(ONCE, ZoneInfo("Asia/Seoul"))

    done = invoke("doctor", "--json")

    [found] = [each for each in json.loads(done.stdout) if each["what"] == "schedule"]
    assert found["status"] == "failed"
    assert "growbin-jobs scheduler" in found["detail"]


def test_a_preview_in_any_zone(invoke):
    done = invoke(
        "schedule", "preview", "--job", "statistics.aggregate_daily", "--zone", "America/New_York",
        "--from", "2026-03-07", "--to", "2026-03-12", "--json",
    )  # fmt: skip

    assert [json.loads(line)["due"][:16] for line in done.stdout.splitlines()] == [
        "2026-03-07T05:05", "2026-03-08T05:05", "2026-03-09T04:05", "2026-03-10T04:05", "2026-03-11T04:05",
    ]  # fmt: skip


def test_a_day_of_the_preview_begins_with_its_midnight_and_ends_before_the_next_one(invoke):
    span = "--zone", "Asia/Seoul", "--from", "2026-12-01", "--to", "2026-12-02"
    done = invoke("schedule", "preview", "--job", "prune", *span, "--json")

    assert [json.loads(line)["due"][:16] for line in done.stdout.splitlines()] == ["2026-11-30T15:00"]


def test_the_history_of_a_job(invoke, registered):
    done = invoke("schedule", "history", "health.check_all_agents", "--json")

    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["sent", "coalesced"]
    assert "coalesced 1" in invoke("schedule", "history", "health.check_all_agents").stdout


@pytest.mark.parametrize(("seconds", "shown"), [(41.6, "42 s"), (3900.2, "1:05:00"), (165_057, "1 day, 21:50:57")])
def test_how_late_a_run_was_is_told_in_words_that_people_read(seconds, shown):
    assert _lateness(seconds) == shown


def test_a_pause_is_shown_with_who_and_why_and_ends(invoke, registered):
    assert invoke("schedule", "pause", "cleanup.old_logs", "--why", "audit").exit_code == 0
    listed = invoke("schedule", "list")
    assert "audit" in listed.stderr
    assert any(line.startswith("cleanup.old_logs") and "멈춤" in line for line in listed.stdout.splitlines())

    assert invoke("schedule", "resume", "cleanup.old_logs").exit_code == 0
    assert "audit" not in invoke("schedule", "list").stderr


def test_the_audit_has_a_row_of_what_a_person_does_about_jobs(invoke, registered):
    job = "cleanup.old_logs"
    invoke("schedule", "pause", job, "--why", "the night", "--until", "2099-12-24T00:00Z")
    invoke("schedule", "resume", job)
    invoke("schedule", "run", job)

    rows = [json.loads(line) for line in invoke("audit", "list", "--json").stdout.splitlines()]
    assert {(row["who"], row["role"], row["target"]) for row in rows} == {(name_of_person(), "cli", job)}
    assert [(row["action"], row["reason"], row["details"]) for row in reversed(rows)] == [
        ("schedule.paused", "the night", {"until": "2099-12-24T00:00:00+00:00"}),
        ("schedule.resumed", "", {}),
        ("schedule.run", "", {"due": None}),
    ]


def test_a_run_by_hand_waits_for_a_scheduler(invoke, registered):
    done = invoke("schedule", "run", "cleanup.old_logs", "--json")

    assert json.loads(done.stdout)["job"] == "cleanup.old_logs"
    [row] = registered.rows(LedgerRow.select().where((LedgerRow.job == "cleanup.old_logs") & (LedgerRow.manual == 1)))
    assert row["state"] == "due"


@pytest.mark.parametrize("words", [("run", "sweep"), ("run", "nothing"), ("history", "nothing"), ("resume", "prune")])
def test_what_cannot_be_done_is_said_in_a_sentence(command, words):
    done = command("schedule", *words)

    assert done.returncode == 1
    assert "job" in done.stderr or "keeper" in done.stderr
    assert "Traceback" not in done.stderr


def end_by(database, moment):
    """All that is on its way is to have ended by then."""
    database.run(LedgerRow.update(done_by=moment).where(LedgerRow.state == RunState.SENT).execute)


def test_a_verification_of_what_is_on_its_way_is_well(invoke, registered):
    end_by(registered, datetime.now(UTC) + timedelta(hours=1))

    done = invoke("schedule", "verify", "--json")

    verdict = json.loads(done.stdout)
    assert (done.exit_code, verdict["findings"]) == (0, [])
    assert verdict["checked"] >= 19


def test_what_is_on_its_way_for_too_long_is_a_hole(invoke, registered):
    end_by(registered, datetime.now(UTC) - timedelta(seconds=1))

    done = invoke("schedule", "verify", "--json")

    assert done.exit_code == 1
    assert {each["detail"].partition(" since")[0] for each in json.loads(done.stdout)["findings"]} == {"sent"}


def test_a_hole_is_an_exit_code(invoke, registered):
    registered.run(LedgerRow.delete().where(LedgerRow.state == "coalesced").execute)

    done = invoke("schedule", "verify")

    assert done.exit_code == 1
    assert "hole" in done.stdout
    assert "nothing was recorded" in done.stdout
