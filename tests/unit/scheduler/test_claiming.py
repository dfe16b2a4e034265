"""Which due times are sent: never two at once where they must not overlap, and nobody waits for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.scheduler.claiming import OpenRun, decide
from growbin_jobs.scheduler.jobs import Overlap, RunAll, RunLatest, ScheduledJob
from growbin_jobs.scheduler.rows import OPEN, RunState

MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def job_with(overlap, policy=None):
    return ScheduledJob(
        name="j",
        when=Every(60),
        route=Route("a", "q"),
        overlap=overlap,
        catch_up=policy or RunLatest(60 * MINUTE),
        max_run=30 * MINUTE,
    )


def run(minutes_ago, state=RunState.DUE, *, since=None, manual=False):
    due = NOW - minutes_ago * MINUTE
    return OpenRun(due=due, state=state, since=due if since is None else since, not_before=due, manual=manual)


def states(steps):
    return [(int((NOW - step.due) / MINUTE), step.state.value) for step in steps]


runs = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from(OPEN), st.integers(-10, 50)),
    max_size=8,
    unique_by=lambda each: each[0],
).map(
    lambda each: [
        run(ago, state, since=NOW - since * MINUTE) for ago, state, since in sorted(each, key=lambda one: -one[0])
    ]
)


@given(runs=runs, overlap=st.sampled_from([Overlap.SKIP, Overlap.QUEUE]), all_=st.booleans())
def test_nothing_new_is_sent_while_an_earlier_run_is_at_work(runs, overlap, all_):
    job = job_with(overlap, RunAll(9, 60 * MINUTE) if all_ else None)
    steps = decide(job, runs, NOW, waits_for=None)

    ended = {step.due for step in steps if step.state not in OPEN}
    at_work = [
        each for each in runs
        if (each.state in (RunState.SENT, RunState.STARTED) and each.due not in ended)
        or each.state is RunState.CLAIMED
    ]  # fmt: skip
    fresh = {each.due for each in runs if each.state is RunState.DUE}
    new = [step.due for step in steps if step.state is RunState.CLAIMED and step.due in fresh]
    assert len(new) <= (0 if at_work else 1)
    # Whoever can go on does: the oldest, where nobody is at work.
    if fresh and not at_work:
        assert len(new) == 1


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, [(2, "overlapped"), (1, "overlapped"), (0, "overlapped")]),
        (Overlap.QUEUE, [(2, "due"), (1, "overlapped"), (0, "overlapped")]),
        (Overlap.ALLOW, [(2, "claimed"), (1, "claimed"), (0, "claimed")]),
    ],
)
def test_the_policies_while_a_run_has_not_ended(overlap, expected):
    assert (
        states(decide(job_with(overlap), [run(9, RunState.STARTED), run(2), run(1), run(0)], NOW, waits_for=None))
        == expected
    )


def test_of_a_job_that_runs_all_everything_waits_in_order():
    steps = decide(job_with(Overlap.QUEUE, RunAll(9, 99 * MINUTE)), [run(3), run(2), run(1)], NOW, waits_for=None)

    assert states(steps) == [(3, "claimed"), (2, "due"), (1, "due")]


def test_a_claim_whose_lease_has_ended_is_claimed_again():
    steps = decide(job_with(Overlap.SKIP), [run(3, RunState.CLAIMED, since=NOW)], NOW, waits_for=None)

    assert states(steps) == [(3, "claimed")]
    assert decide(job_with(Overlap.SKIP), [run(3, RunState.CLAIMED, since=NOW + MINUTE)], NOW, waits_for=None) == []


def test_an_older_due_time_does_not_run_beside_a_claim_whose_lease_has_ended():
    """Found by the property above: what waited is older than what was claimed."""
    runs = [run(3), run(2, RunState.CLAIMED, since=NOW)]

    assert states(decide(job_with(Overlap.SKIP), runs, NOW, waits_for=None)) == [(3, "overlapped"), (2, "claimed")]


def test_what_a_person_asks_for_waits_for_nobody():
    steps = decide(job_with(Overlap.SKIP), [run(9, RunState.STARTED), run(0, manual=True)], NOW, waits_for="x")

    assert states(steps) == [(0, "claimed")]


def test_what_must_be_first_is_waited_for_as_long_as_the_run_may_be_late():
    job = job_with(Overlap.QUEUE)

    [step] = decide(job, [run(59)], NOW, waits_for="x")
    assert (step.state, step.reason) == (RunState.DUE, "waits for x")
    [step] = decide(job, [run(61)], NOW, waits_for="x")
    assert (step.state, step.reason) == (RunState.MISSED, "x has not been done")
