"""What happens to due times that have come: each is covered once, whatever was missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.scheduler.jobs import RunAll, RunLatest, ScheduledJob
from growbin_jobs.scheduler.planning import plan
from growbin_jobs.scheduler.rows import RunState

MINUTE = timedelta(minutes=1)
BEGAN = datetime(2026, 11, 28, tzinfo=UTC)

policies = st.one_of(
    st.builds(RunAll, st.integers(1, 20), st.integers(1, 100).map(lambda n: n * MINUTE), st.just(10 * MINUTE)),
    st.builds(RunLatest, st.integers(1, 100).map(lambda n: n * MINUTE)),
)


def job_with(policy):
    return ScheduledJob(name="j", when=Every(60), route=Route("a", "q"), catch_up=policy)


@given(policy=policies, missed=st.integers(0, 80), paused=st.sets(st.integers(0, 80)), late=st.integers(0, 59))
def test_every_due_time_is_covered_once_and_no_more_run_than_the_policy_says(policy, missed, paused, late):
    dues = [BEGAN + number * MINUTE for number in range(missed)]
    now = BEGAN + missed * MINUTE + timedelta(seconds=late)
    excused = {dues[number] for number in paused if number < missed}

    rows = plan(job_with(policy), dues, now, excused=lambda due: "paused" if due in excused else None)

    covered = [due for row in rows for due in dues if row.covers_from <= due <= row.due]
    assert covered == dues
    assert sum(row.covers for row in rows) == len(dues)
    run = [row.due for row in rows if row.state is RunState.DUE]
    assert run == sorted(run)
    assert not excused & set(run)
    assert all(now - due <= policy.max_age for due in run)
    wanted = [due for due in dues if due not in excused and now - due <= policy.max_age]
    assert run == wanted[-policy.most :] if isinstance(policy, RunAll) else run == wanted[-1:]
    assert all(row.reason for row in rows if row.state is not RunState.DUE)


def test_what_is_made_up_for_is_paced():
    now = BEGAN + 5 * MINUTE
    dues = [BEGAN + number * MINUTE for number in range(3)]

    rows = plan(job_with(RunAll(9, 99 * MINUTE, 2 * MINUTE)), dues, now, excused=lambda _: None)

    assert [row.not_before for row in rows] == [now, now + 2 * MINUTE, now + 4 * MINUTE]
