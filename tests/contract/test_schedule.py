"""The ledger of the schedule on both databases: a due time is sent by one, has its effect once, and is never lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from tests.contract.schedule_world import CHECKS, DAILY, DAY, HOUR, MINUTE, SEOUL, ScheduleWorld

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.errors import Deferred, NotFound, Transient
from growbin_jobs.scheduler.claims import LEASE
from growbin_jobs.scheduler.effects import Overtaken
from growbin_jobs.scheduler.jobs import NAMESPACE, Overlap, RunLatest
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.retention import Forget
from growbin_jobs.scheduler.rows import JobRunRow, RunState

# --- from due to done


def test_a_due_time_from_the_beginning_to_its_end(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    assert schedule.look(CHECKS) == []
    schedule.now += 10 * MINUTE

    [claim] = schedule.look(CHECKS, send=False)
    assert claim.due == datetime(2026, 11, 28, 3, 10, tzinfo=UTC)
    assert claim.message_id == str(uuid5(NAMESPACE, "checks 2026-11-28T03:10:00.000000+00:00"))
    assert schedule.states("checks") == ["claimed"]
    assert schedule.ledger().sent(claim)
    assert schedule.states("checks") == ["sent"]
    with schedule.due_times().taking("checks", claim.due) as run:
        assert schedule.states("checks") == ["started"]
        assert run is not None
        run.commit(lambda _: None)
    assert schedule.states("checks") == ["done"]
    assert schedule.look(CHECKS) == []


def test_the_data_of_a_run_is_that_of_its_due_time_however_late_it_is(schedule: ScheduleWorld) -> None:
    """B3: due on the 27th in Seoul, sent two days later: it is about the 26th."""
    schedule.now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    schedule.register(DAILY)
    schedule.now += 2 * DAY

    [first, *_] = schedule.look(DAILY)
    assert first.due == datetime(2026, 11, 26, 15, 5, tzinfo=UTC)
    assert first.since.astimezone(SEOUL) == datetime(2026, 11, 26, tzinfo=SEOUL)
    assert first.until.astimezone(SEOUL) == datetime(2026, 11, 27, tzinfo=SEOUL)


def test_two_schedulers_send_each_due_time_once(schedule: ScheduleWorld) -> None:
    """B-T4: started 37 s apart."""
    schedule.register(CHECKS)
    for _ in range(60):
        schedule.now += MINUTE
        for process in ("a", "b"):
            schedule.work(*schedule.look(CHECKS, process=process))
            schedule.now += timedelta(seconds=0.5)

    assert len(schedule.sent) == len({claim.due for claim in schedule.sent}) == 6
    assert {claim.due.minute % 10 for claim in schedule.sent} == {0}


def test_a_claimer_that_dies_is_followed_after_the_lease_with_the_same_message(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [dead] = schedule.look(CHECKS, send=False)

    assert schedule.look(CHECKS, process="b") == []
    schedule.now += LEASE
    [next_] = schedule.look(CHECKS, process="b")
    assert (next_.message_id, next_.fence) == (dead.message_id, dead.fence + 1)
    assert schedule.ledger().sent(dead) is False
    assert schedule.work(dead, next_) == 1


def test_a_scheduler_that_was_stopped_after_its_claim_changes_nothing_when_it_wakes(schedule: ScheduleWorld) -> None:
    """B-T8: A is stopped, B sends, a worker finishes, A goes on and sends too: one effect."""
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [late] = schedule.look(CHECKS, send=False, process="a")
    schedule.now += LEASE
    [claim] = schedule.look(CHECKS, process="b")
    assert schedule.work(claim) == 1

    assert not schedule.ledger("a").sent(late)
    assert schedule.work(late) == 0
    assert schedule.states("checks") == ["done"]


def test_a_worker_may_be_faster_than_the_note_that_it_was_sent(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [claim] = schedule.look(CHECKS, send=False)
    assert schedule.work(claim) == 1

    assert schedule.ledger().sent(claim)
    [row] = schedule.rows("checks")
    assert (row["state"], row["sent_at"]) == ("done", schedule.now)


def test_while_the_broker_is_away_due_times_stay_claimed_and_keep_their_ids(schedule: ScheduleWorld) -> None:
    """B-T9: three due times, a restart in between."""
    every_minute = replace(CHECKS, when=Every(60), overlap=Overlap.ALLOW)
    schedule.register(every_minute)
    refused = []
    for number in range(3):
        schedule.now += MINUTE
        refused += schedule.look(every_minute, send=False, process=f"p{number // 2}")
    schedule.now += LEASE
    sent = schedule.look(every_minute, process="p1")

    assert {claim.message_id for claim in sent} == {claim.message_id for claim in refused}
    assert len(sent) == 3
    assert schedule.look(every_minute) == []


# --- the effect, once


def test_a_message_that_comes_twice_has_one_effect(schedule: ScheduleWorld) -> None:
    runs, writes = [], []
    for number in range(3):
        run = schedule.due_times().take("x", schedule.now)
        runs.append(run is not None)
        if run is not None:
            run.commit(lambda _, number=number: writes.append(number))
    assert (runs, writes) == ([True, False, False], [0])


def test_what_an_overtaken_run_writes_does_not_stay(schedule: ScheduleWorld) -> None:
    due_times, writes = schedule.due_times(), []
    slow = due_times.take("x", schedule.now)
    with pytest.raises(Deferred):
        due_times.take("x", schedule.now)
    due = schedule.now
    schedule.now += 2 * MINUTE
    quick = due_times.take("x", due)
    assert slow is not None
    assert quick is not None
    quick.commit(lambda _: writes.append("quick"))

    with pytest.raises(Overtaken):
        slow.commit(lambda _: writes.append("slow"))
    with pytest.raises(Overtaken):
        slow.keep()
    assert writes == ["quick"]
    [row] = schedule.database.rows(JobRunRow.select())
    assert (row["effects"], row["fence"]) == (1, 2)


def test_a_run_that_fails_is_taken_again_at_once_and_then_done(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [claim] = schedule.look(CHECKS)
    with pytest.raises(Transient), schedule.due_times().taking(claim.job, claim.due):
        raise Transient("the agents' table is locked")
    [row] = schedule.rows("checks")
    assert (row["state"], row["reason"]) == ("failed", "the agents' table is locked")

    assert schedule.work(claim) == 1
    assert schedule.states("checks") == ["done"]


def test_an_effect_that_fails_leaves_the_due_time_open(schedule: ScheduleWorld) -> None:
    def fails(connection: Any) -> None:
        connection.execute_sql("DELETE FROM scheduler_process")
        raise Transient("full")

    run = schedule.due_times().take("x", schedule.now)
    assert run is not None
    with pytest.raises(Transient):
        run.commit(fails)
    schedule.now += MINUTE

    assert schedule.due_times().take("x", schedule.now - MINUTE) is not None


def test_a_run_that_sends_messages_may_send_the_same_ones_again(schedule: ScheduleWorld) -> None:
    sent = []
    for _ in range(2):
        with schedule.due_times().taking("x", schedule.now, again=True) as run:
            assert run is not None
            sent.append(run.due)
    assert len(sent) == 2
    assert [row["effects"] for row in schedule.database.rows(JobRunRow.select())] == [1]


def test_a_message_as_old_as_what_is_forgotten_is_not_run(schedule: ScheduleWorld) -> None:
    assert schedule.due_times().take("x", schedule.now - 96 * DAY) is None


# --- by hand, and forgetting


def test_a_person_may_ask_for_a_run_of_its_own(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    due = schedule.ledger().run_now(CHECKS, due=None, by="kim")
    [claim] = schedule.look(CHECKS)

    assert claim.due == due == schedule.now
    assert schedule.work(claim) == 1
    assert schedule.rows("checks")[0]["reason"] is None


def test_a_person_may_ask_for_a_due_time_that_was_missed(schedule: ScheduleWorld) -> None:
    schedule.register(replace(CHECKS, catch_up=RunLatest(MINUTE)))
    schedule.now += 10 * MINUTE + 2 * MINUTE
    assert schedule.look(replace(CHECKS, catch_up=RunLatest(MINUTE))) == []
    [row] = schedule.rows("checks")

    schedule.ledger().run_now(CHECKS, due=row["due"], by="kim")
    [claim] = schedule.look(CHECKS)
    assert claim.message_id != row["message_id"]  # that one may have ended already, without an effect
    assert schedule.work(claim) == 1
    with pytest.raises(NotFound):
        schedule.ledger().run_now(CHECKS, due=row["due"], by="kim")


def test_a_due_time_whose_message_has_ended_elsewhere_is_sent_under_another_id_and_has_its_effect(
    schedule: ScheduleWorld,
) -> None:
    """A restored database plans it again, under the id that a node does not run again."""
    schedule.register(DAILY)
    schedule.now += DAY
    [claim] = schedule.look(DAILY, send=False)
    assert schedule.ledger().ended_elsewhere("daily", claim.message_id)
    assert not schedule.ledger().ended_elsewhere("daily", claim.message_id), "told twice"
    assert not schedule.ledger().sent(claim)

    [again] = schedule.look(DAILY)
    assert (again.due, again.message_id == claim.message_id) == (claim.due, False)
    assert schedule.ledger().ended_elsewhere("daily", again.message_id), "the database was restored twice"
    [third] = schedule.look(DAILY)
    assert len({claim.message_id, again.message_id, third.message_id}) == 3

    assert schedule.work(claim, again, third) == 1
    assert not schedule.ledger().ended_elsewhere("daily", third.message_id), "as each message that comes twice"
    assert schedule.states("daily") == ["done"]


def test_of_a_job_that_runs_all_a_message_that_nobody_begins_is_sent_anew(schedule: ScheduleWorld) -> None:
    schedule.register(DAILY)
    schedule.now += DAY
    [claim] = schedule.look(DAILY)
    schedule.now += DAILY.max_run
    assert schedule.look(DAILY) == []

    schedule.now += MINUTE
    [again] = schedule.look(DAILY)
    assert (again.due, again.message_id != claim.message_id) == (claim.due, True)
    assert schedule.look(DAILY) == []
    assert [row["sent_at"] for row in schedule.rows("daily")] == [schedule.now]
    assert schedule.work(again, claim) == 1


def test_what_is_forgotten_is_not_due_again(schedule: ScheduleWorld) -> None:
    schedule.register(DAILY)
    for _ in range(5):
        schedule.now += DAY
        schedule.work(*schedule.look(DAILY))
    schedule.now += 3 * HOUR
    assert Forget(schedule.database, timedelta(0), clock=schedule.clock).run_once() == 5

    schedule.register(DAILY)
    assert schedule.look(DAILY, process="restarted") == []


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
