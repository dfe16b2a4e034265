"""The ledger of the schedule on both databases: a due time is sent by one, has its effect once, and is never lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.errors import Deferred, NotFound, Transient
from growbin_jobs.scheduler.effects import DueTimes, Overtaken
from growbin_jobs.scheduler.jobs import Overlap, Period, RunAll, RunLatest, ScheduledJob, message_id
from growbin_jobs.scheduler.ledger import LEASE, Claim, Ledger
from growbin_jobs.scheduler.retention import Forget
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow, RunState

SEOUL, NEW_YORK = ZoneInfo("Asia/Seoul"), ZoneInfo("America/New_York")
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ROUTE = Route("a", "q")

DAILY = ScheduledJob(
    name="daily", when=Cron("5 0 * * *"), route=ROUTE, period=Period.DAY, catch_up=RunAll(30, 60 * DAY)
)
CHECKS = ScheduledJob(
    name="checks", when=Every(600), route=ROUTE, catch_up=RunLatest(HOUR), overlap=Overlap.SKIP, max_run=2 * HOUR
)


@dataclass
class World:
    """A database whose clock stands still until it is told to go on."""

    database: Database
    now: datetime = datetime(2026, 11, 28, 3, 0, 37, tzinfo=UTC)
    zone: ZoneInfo = SEOUL
    sent: list[Claim] = field(default_factory=list)

    def clock(self, _connection: Any) -> datetime:
        return self.now

    def ledger(self, process: str = "a") -> Ledger:
        return Ledger(self.database, process, clock=self.clock)

    def due_times(self) -> DueTimes:
        return DueTimes(self.database, clock=self.clock)

    def register(self, *jobs: ScheduledJob) -> list[Any]:
        return self.ledger().registry.register(jobs, self.zone)

    def look(self, *jobs: ScheduledJob, send: bool = True, process: str = "a") -> list[Claim]:
        """One look of a scheduler; returns what it claimed, and sends it."""
        ledger = self.ledger(process)
        claims = [claim for job in jobs for claim in ledger.advance(job)]
        for claim in claims if send else ():
            self.sent.append(claim)
            ledger.sent(claim)
        return claims

    def work(self, *claims: Claim) -> int:
        """A worker runs messages; returns how many had an effect."""
        done = 0
        for claim in claims:
            with self.due_times().taking(claim.job, claim.due.isoformat()) as run:
                done += run is not None
        return done

    def rows(self, job: str) -> list[dict[str, Any]]:
        return self.database.rows(LedgerRow.select().where(LedgerRow.job == job).order_by(LedgerRow.due))

    def states(self, job: str) -> list[str]:
        return [row["state"] for row in self.rows(job)]


@pytest.fixture
def world(schedule_database: Database) -> World:
    return World(schedule_database)


# --- from due to done


def test_a_due_time_from_the_beginning_to_its_end(world: World) -> None:
    world.register(CHECKS)
    assert world.look(CHECKS) == []
    world.now += 10 * MINUTE

    [claim] = world.look(CHECKS, send=False)
    assert claim.due == datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
    assert claim.message_id == message_id("checks", claim.due)
    assert world.states("checks") == ["claimed"]
    assert world.ledger().sent(claim)
    assert world.states("checks") == ["sent"]
    with world.due_times().taking("checks", claim.due) as run:
        assert world.states("checks") == ["started"]
        assert run is not None
        run.commit(lambda _: None)
    assert world.states("checks") == ["done"]
    assert world.look(CHECKS) == []


def test_the_data_of_a_run_is_that_of_its_due_time_however_late_it_is(world: World) -> None:
    """B3: due on the 27th in Seoul, sent two days later: it is about the 26th."""
    world.now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    world.register(DAILY)
    world.now += 2 * DAY

    [first, *_] = world.look(DAILY)
    assert first.due == datetime(2026, 11, 26, 15, 5, tzinfo=UTC)
    assert first.since.astimezone(SEOUL) == datetime(2026, 11, 26, tzinfo=SEOUL)
    assert first.until.astimezone(SEOUL) == datetime(2026, 11, 27, tzinfo=SEOUL)


def test_two_schedulers_send_each_due_time_once(world: World) -> None:
    """B-T4: started 37 s apart."""
    world.register(CHECKS)
    for _ in range(60):
        world.now += MINUTE
        for process in ("a", "b"):
            world.work(*world.look(CHECKS, process=process))
            world.now += timedelta(seconds=0.5)

    assert len(world.sent) == len({claim.due for claim in world.sent}) == 6
    assert {claim.due.minute % 10 for claim in world.sent} == {0}


def test_a_claimer_that_dies_is_followed_after_the_lease_with_the_same_message(world: World) -> None:
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [dead] = world.look(CHECKS, send=False)

    assert world.look(CHECKS, process="b") == []
    world.now += LEASE
    [next_] = world.look(CHECKS, process="b")
    assert (next_.message_id, next_.fence) == (dead.message_id, dead.fence + 1)
    assert world.ledger().sent(dead) is False
    assert world.work(dead, next_) == 1


def test_a_scheduler_that_was_stopped_after_its_claim_changes_nothing_when_it_wakes(world: World) -> None:
    """B-T8: A is stopped, B sends, a worker finishes, A goes on and sends too: one effect."""
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [late] = world.look(CHECKS, send=False, process="a")
    world.now += LEASE
    [claim] = world.look(CHECKS, process="b")
    assert world.work(claim) == 1

    assert not world.ledger("a").sent(late)
    assert world.work(late) == 0
    assert world.states("checks") == ["done"]


def test_a_worker_may_be_faster_than_the_note_that_it_was_sent(world: World) -> None:
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [claim] = world.look(CHECKS, send=False)
    assert world.work(claim) == 1

    assert world.ledger().sent(claim)
    [row] = world.rows("checks")
    assert (row["state"], row["sent_at"]) == ("done", world.now)


def test_while_the_broker_is_away_due_times_stay_claimed_and_keep_their_ids(world: World) -> None:
    """B-T9: three due times, a restart in between."""
    every_minute = replace(CHECKS, when=Every(60), overlap=Overlap.ALLOW)
    world.register(every_minute)
    refused = []
    for number in range(3):
        world.now += MINUTE
        refused += world.look(every_minute, send=False, process=f"p{number // 2}")
    world.now += LEASE
    sent = world.look(every_minute, process="p1")

    assert {claim.message_id for claim in sent} == {claim.message_id for claim in refused}
    assert len(sent) == 3
    assert world.look(every_minute) == []


# --- the effect, once


def test_a_message_that_comes_twice_has_one_effect(world: World) -> None:
    runs, writes = [], []
    for number in range(3):
        run = world.due_times().take("x", world.now)
        runs.append(run is not None)
        if run is not None:
            run.commit(lambda _, number=number: writes.append(number))
    assert (runs, writes) == ([True, False, False], [0])


def test_what_an_overtaken_run_writes_does_not_stay(world: World) -> None:
    due_times, writes = world.due_times(), []
    slow = due_times.take("x", world.now)
    with pytest.raises(Deferred):
        due_times.take("x", world.now)
    due = world.now
    world.now += 2 * MINUTE
    quick = due_times.take("x", due)
    assert slow is not None
    assert quick is not None
    quick.commit(lambda _: writes.append("quick"))

    with pytest.raises(Overtaken):
        slow.commit(lambda _: writes.append("slow"))
    with pytest.raises(Overtaken):
        slow.keep()
    assert writes == ["quick"]
    [row] = world.database.rows(JobRunRow.select())
    assert (row["effects"], row["fence"]) == (1, 2)


def test_a_run_that_fails_is_taken_again_at_once_and_then_done(world: World) -> None:
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [claim] = world.look(CHECKS)
    with pytest.raises(Transient), world.due_times().taking(claim.job, claim.due):
        raise Transient("the agents' table is locked")
    [row] = world.rows("checks")
    assert (row["state"], row["reason"]) == ("failed", "the agents' table is locked")

    assert world.work(claim) == 1
    assert world.states("checks") == ["done"]


def test_an_effect_that_fails_leaves_the_due_time_open(world: World) -> None:
    def fails(connection: Any) -> None:
        connection.execute_sql("DELETE FROM scheduler_process")
        raise Transient("full")

    run = world.due_times().take("x", world.now)
    assert run is not None
    with pytest.raises(Transient):
        run.commit(fails)
    world.now += MINUTE

    assert world.due_times().take("x", world.now - MINUTE) is not None


def test_a_run_that_sends_messages_may_send_the_same_ones_again(world: World) -> None:
    sent = []
    for _ in range(2):
        with world.due_times().taking("x", world.now, again=True) as run:
            assert run is not None
            sent.append(run.due)
    assert len(sent) == 2
    assert [row["effects"] for row in world.database.rows(JobRunRow.select())] == [1]


def test_a_message_as_old_as_what_is_forgotten_is_not_run(world: World) -> None:
    assert world.due_times().take("x", world.now - 96 * DAY) is None


# --- catching up


def test_after_forty_days_checks_run_once_and_days_run_all(world: World) -> None:
    """B-T5."""
    many = replace(DAILY, catch_up=RunAll(60, 60 * DAY))
    world.register(CHECKS, many)
    began = world.now
    world.now += 40 * DAY

    [check] = world.look(CHECKS)
    assert world.now - check.due < 10 * MINUTE
    coalesced, run = world.rows("checks")
    assert (coalesced["state"], coalesced["covers"], run["state"]) == ("coalesced", 40 * 144 - 1, "sent")

    dues = []
    for _ in range(45):
        claims = world.look(many)
        dues += [claim.due for claim in claims]
        world.work(*claims)
        world.now += timedelta(seconds=10)
    assert len(dues) == 40
    assert dues == sorted(dues)
    assert dues[0] - began < DAY
    assert set(world.states("daily")) == {"done"}


def test_what_is_beyond_the_bounds_is_recorded_as_missed(world: World) -> None:
    few = replace(DAILY, catch_up=RunAll(3, 5 * DAY))
    world.register(few, CHECKS)
    world.now += 10 * DAY
    world.look(few)
    world.look(replace(CHECKS, catch_up=RunLatest(MINUTE / 2)))

    missed, *run = world.rows("daily")
    assert (missed["state"], missed["covers"], len(run)) == ("missed", 7, 3)
    assert world.states("checks") == ["missed"]


def test_a_long_absence_never_ends_the_schedule(world: World) -> None:
    world.register(CHECKS)
    world.now += 300 * DAY  # 43,200 due times
    world.work(*world.look(CHECKS))
    world.now += 10 * MINUTE

    assert len(world.look(CHECKS)) == 1


def test_a_clock_that_is_set_back_sends_nothing_twice(world: World) -> None:
    world.register(CHECKS)
    world.now += HOUR
    world.work(*world.look(CHECKS))
    world.now -= HOUR
    for _ in range(7):
        assert world.look(CHECKS) == []
        world.now += 9 * MINUTE
    world.now += 7 * MINUTE
    assert len(world.look(CHECKS)) == 1


# --- overlap and order


def test_a_check_that_takes_25_minutes_never_runs_twice_at_once(world: World) -> None:
    """B-T12."""
    world.register(CHECKS)
    running: list[tuple[datetime, Claim]] = []
    at_once = 0
    for _ in range(120):
        world.now += MINUTE
        running += [(world.now, claim) for claim in world.look(CHECKS)]
        at_once = max(at_once, len(running))
        if running and world.now - running[0][0] >= 25 * MINUTE:
            world.work(running.pop(0)[1])
    assert at_once == 1
    assert world.states("checks").count("overlapped") >= 6
    assert set(world.states("checks")) <= {"done", "overlapped", "sent"}


def test_a_job_that_hangs_keeps_the_next_ones_waiting_no_longer_than_its_limit(world: World) -> None:
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [claim] = world.look(CHECKS)
    assert world.due_times().take(claim.job, claim.due) is not None
    world.now += 2 * HOUR + MINUTE
    world.now += 10 * MINUTE

    assert len(world.look(CHECKS)) == 1
    assert world.states("checks")[0] == "failed"


def test_what_no_worker_began_in_time_is_missed_and_not_run_later(world: World) -> None:
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [claim] = world.look(CHECKS)
    world.now += 3 * HOUR
    world.look(CHECKS)

    assert world.states("checks")[0] == "missed"
    assert world.work(claim) == 0


WEEK = ScheduledJob(name="week", when=Cron("0 1 * * 1"), route=ROUTE, period=Period.WEEK)
REPORT = ScheduledJob(
    name="report", when=Cron("0 9 * * 1"), route=ROUTE, period=Period.WEEK, after="week", catch_up=RunLatest(7 * DAY)
)


def test_the_report_waits_for_the_statistics_and_runs_once(world: World) -> None:
    """B-T18: the statistics fail at 01:00 and succeed at 09:20."""
    world.register(WEEK, REPORT)
    monday = datetime(2026, 11, 30, tzinfo=SEOUL)
    world.now = monday + HOUR
    [week] = world.look(WEEK, REPORT)
    with pytest.raises(Transient), world.due_times().taking("week", week.due):
        raise Transient("no")

    world.now = monday + 9 * HOUR
    assert world.look(WEEK, REPORT) == []
    [row] = world.rows("report")
    assert (row["state"], row["reason"]) == ("due", "waits for week")
    world.now += 20 * MINUTE
    world.work(week)
    [report] = world.look(WEEK, REPORT)
    world.work(report)
    world.now += DAY

    assert world.look(WEEK, REPORT) == []
    [row] = world.rows("report")
    assert (row["state"], row["due"], row["sent_at"]) == (
        "done", monday + 9 * HOUR, monday + 9 * HOUR + 20 * MINUTE,
    )  # fmt: skip


def test_a_report_whose_statistics_never_come_is_missed_in_the_end(world: World) -> None:
    world.register(WEEK, REPORT)
    world.now = datetime(2026, 11, 30, 9, tzinfo=SEOUL)
    world.look(WEEK, REPORT)
    world.now += 7 * DAY + MINUTE
    world.look(REPORT)

    assert (world.rows("report")[0]["state"], world.rows("report")[0]["reason"]) == ("missed", "week has not been done")


def test_a_laptop_that_slept_over_monday_gives_one_late_report(world: World) -> None:
    """B20: nine hours; the statistics are made up for first."""
    world.now = datetime(2026, 11, 30, 0, 30, tzinfo=SEOUL)
    world.register(WEEK, REPORT)
    world.now += 9 * HOUR
    [week] = world.look(WEEK, REPORT)
    world.work(week)
    [report] = world.look(WEEK, REPORT)
    world.work(report)
    world.now += DAY
    world.look(WEEK, REPORT)

    [row] = world.rows("report")
    assert (row["state"], row["sent_at"] - row["due"]) == ("done", 30 * MINUTE)


# --- edits: nothing of them is run again, lost or doubled


def test_a_new_job_begins_with_its_next_due_time(world: World) -> None:
    [change] = world.register(DAILY)

    assert (change.kind, change.next_after) == ("new", datetime(2026, 11, 28, 15, 5, tzinfo=UTC))
    assert world.look(DAILY) == []
    assert world.register(DAILY) == []


def test_a_rule_that_is_edited_on_the_way_counts_from_then_on(world: World) -> None:
    """B-T11: 02:00 was done, at 02:30 it becomes 03:00: not again on that day."""
    job = replace(DAILY, when=Cron("0 2 * * *"))
    world.now = datetime(2026, 11, 28, 1, tzinfo=SEOUL)
    world.register(job)
    world.now += HOUR
    world.work(*world.look(job))
    world.now += 30 * MINUTE
    later = replace(job, when=Cron("0 3 * * *"))
    [change] = world.register(later)
    assert (change.kind, change.dropped) == ("edited", 0)

    world.now += HOUR
    assert world.look(later) == []
    assert world.states("daily") == ["done", "skipped"]
    world.now += DAY
    assert [claim.due for claim in world.look(later)] == [datetime(2026, 11, 29, 3, tzinfo=SEOUL)]


def test_a_zone_that_is_changed_on_the_17th_replays_no_month(world: World) -> None:
    """B-T6."""
    monthly = ScheduledJob(name="monthly", when=Cron("30 1 1 * *"), route=ROUTE, period=Period.MONTH)
    world.now = datetime(2026, 10, 31, 12, tzinfo=UTC)
    world.register(monthly)
    world.now = datetime(2026, 11, 1, tzinfo=UTC)
    world.work(*world.look(monthly))
    world.now = datetime(2026, 11, 17, 12, tzinfo=UTC)
    world.zone = NEW_YORK
    world.register(monthly)
    while world.now < datetime(2026, 12, 1, 6, 29, tzinfo=UTC):
        world.now += 6 * HOUR
        assert world.now > datetime(2026, 12, 1, 6, 30, tzinfo=UTC) or world.look(monthly) == []

    world.now = datetime(2026, 12, 1, 6, 31, tzinfo=UTC)
    assert [claim.due for claim in world.look(monthly)] == [datetime(2026, 12, 1, 1, 30, tzinfo=NEW_YORK)]


def test_what_came_by_the_old_rule_while_no_scheduler_ran_is_skipped(world: World) -> None:
    world.register(CHECKS)
    world.now += HOUR
    [change] = world.register(replace(CHECKS, when=Every(1800)))

    assert change.dropped == 6
    [row] = world.rows("checks")
    assert (row["state"], row["covers"]) == ("skipped", 6)
    assert world.look(CHECKS) == []


def test_a_job_that_is_removed_while_it_is_claimed_is_not_run(world: World) -> None:
    """B-T7: even if its message is sent by the one that had claimed it."""
    world.register(CHECKS)
    world.now += 10 * MINUTE
    [claim] = world.look(CHECKS, send=False)
    [change] = world.register()

    assert change.kind == "removed"
    assert not world.ledger().sent(claim)
    assert world.work(claim) == 0
    [row] = world.rows("checks")
    assert row["state"] == "skipped"
    assert row["reason"].startswith("removed")
    world.now += HOUR
    assert world.look(CHECKS) == []


def test_a_job_that_comes_back_replays_nothing(world: World) -> None:
    world.register(CHECKS)
    world.register()
    world.now += DAY
    world.register(CHECKS)

    assert world.look(CHECKS) == []
    assert world.rows("checks") == []


def test_a_renamed_job_is_a_new_one(world: World) -> None:
    world.register(DAILY)
    world.now += 3 * HOUR
    changes = world.register(replace(DAILY, name="renamed"))

    assert [(change.job, change.kind) for change in changes] == [("daily", "removed"), ("renamed", "new")]
    assert world.look(replace(DAILY, name="renamed")) == []


def test_a_pause_survives_restarts_and_is_not_made_up_for(world: World) -> None:
    world.register(CHECKS)
    ledger = world.ledger("cli")
    ledger.registry.pause("checks", by="kim", reason="the agents are moved")
    world.now += HOUR
    assert world.look(CHECKS, process="another") == []
    [row] = world.rows("checks")
    assert (row["state"], row["covers"], row["reason"]) == ("skipped", 6, "paused by kim: the agents are moved")

    ledger.resume(CHECKS)
    world.now += 10 * MINUTE
    assert len(world.look(CHECKS)) == 1


def test_what_came_during_a_pause_that_nobody_watched_is_skipped_at_its_end(world: World) -> None:
    world.register(CHECKS)
    world.ledger().registry.pause("checks", by="kim", reason="x")
    world.now += HOUR
    world.ledger().resume(CHECKS)

    assert world.look(CHECKS) == []
    assert [(row["state"], row["covers"]) for row in world.rows("checks")] == [("skipped", 6)]


def test_a_pause_ends_by_itself(world: World) -> None:
    world.register(CHECKS)
    world.ledger().registry.pause("checks", by="kim", reason="x", until=world.now + 30 * MINUTE)
    world.now += 45 * MINUTE

    assert len(world.look(CHECKS)) == 1
    assert world.states("checks") == ["skipped", "sent"]


def test_nobody_pauses_a_job_that_does_not_exist(world: World) -> None:
    with pytest.raises(NotFound, match="schedule list"):
        world.ledger().registry.pause("chekcs", by="kim", reason="x")


def test_a_comparison_changes_nothing(world: World) -> None:
    registry = world.ledger().registry
    assert [change.kind for change in registry.compare([DAILY], SEOUL)] == ["new"]
    assert registry.states() == {}


# --- by hand, and forgetting


def test_a_person_may_ask_for_a_run_of_its_own(world: World) -> None:
    world.register(CHECKS)
    due = world.ledger().run_now(CHECKS, due=None, by="kim")
    [claim] = world.look(CHECKS)

    assert claim.due == due == world.now
    assert world.work(claim) == 1
    assert world.rows("checks")[0]["reason"] is None


def test_a_person_may_ask_for_a_due_time_that_was_missed(world: World) -> None:
    world.register(replace(CHECKS, catch_up=RunLatest(MINUTE)))
    world.now += 10 * MINUTE + 2 * MINUTE
    assert world.look(replace(CHECKS, catch_up=RunLatest(MINUTE))) == []
    [row] = world.rows("checks")

    world.ledger().run_now(CHECKS, due=row["due"], by="kim")
    [claim] = world.look(CHECKS)
    assert claim.message_id != row["message_id"]  # that one may have ended already, without an effect
    assert world.work(claim) == 1
    with pytest.raises(NotFound):
        world.ledger().run_now(CHECKS, due=row["due"], by="kim")


def test_what_is_forgotten_is_not_due_again(world: World) -> None:
    world.register(DAILY)
    for _ in range(5):
        world.now += DAY
        world.work(*world.look(DAILY))
    world.now += 3 * HOUR
    assert Forget(world.database, timedelta(0), clock=world.clock).run_once() == 5

    world.register(DAILY)
    assert world.look(DAILY, process="restarted") == []


@pytest.mark.parametrize("look", [lambda ledger: ledger.advance(CHECKS), lambda ledger: ledger.idle([CHECKS])])
def test_nothing_is_sent_while_the_database_is_away(tmp_path: Path, look: Callable[[Ledger], Any]) -> None:
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=2, timeout=2)
    with pytest.raises(Deferred):  # no schema: it cannot be written
        look(Ledger(database, "a"))
    database.close()


def test_states_are_those_of_the_docs() -> None:
    assert {*RunState} == {
        "due", "claimed", "sent", "started", "done", "failed", "overlapped", "coalesced", "skipped", "missed",
    }  # fmt: skip
