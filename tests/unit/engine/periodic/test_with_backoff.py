"""A job that fails is left alone for a while, is said, and stops nothing."""

import logging

import pytest
from dramatiq.errors import BrokerConnectionError
from tests.own_records import own_records

from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.periodic.with_backoff import WithBackoff


class Job:
    """Does what it is told to, one after the other; the last one again and again."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.runs = 0

    def run_once(self):
        self.runs += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


AWAY = Deferred("the database is away", wait=5)


def runs_until(steady, job, clock, end):
    """Call it every half second; return when it ran."""
    ran = []
    while clock.now <= end:
        before = job.runs
        steady()
        if job.runs > before:
            ran.append(clock.now)
        clock.now += 0.5
    return ran


def test_a_job_that_fails_is_left_alone_longer_and_longer(clock):
    job = Job(AWAY)

    assert runs_until(WithBackoff("copy", job, clock=clock), job, clock, 100) == [0, 1, 3, 7, 15, 31, 61, 91]


def test_a_job_that_recovers_runs_at_every_call_again(clock, caplog):
    job = Job(AWAY, AWAY, "done")

    with caplog.at_level(logging.INFO):
        assert runs_until(WithBackoff("copy", job, clock=clock), job, clock, 4) == [0, 1, 3, 3.5, 4]

    assert [record.message.split()[0] for record in own_records(caplog)] == [
        "keeper.job_waits",
        "keeper.job_waits",
        "keeper.job_recovered",
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AWAY, "keeper.job_waits job=copy next_try_in=1 error=the database is away"),
        (BrokerConnectionError("closed"), "keeper.job_waits job=copy next_try_in=1 error=closed"),
        (ZeroDivisionError("of a job"), "keeper.job_failed job=copy next_try_in=1 error=ZeroDivisionError"),
    ],
)
def test_what_is_away_is_said_in_a_line_and_what_is_wrong_with_its_place(clock, caplog, error, said):
    WithBackoff("copy", Job(error), clock=clock)()

    [record] = own_records(caplog)
    first, *places = record.message.splitlines()
    assert first == said
    assert ("in run_once" in "".join(places)) == (first.startswith("keeper.job_failed"))
    assert "of a job" not in record.message


@pytest.mark.parametrize(("result", "said"), [({"sent": 3}, ["keeper.job_done job=relay did={'sent': 3}"]), ({}, [])])
def test_what_was_done_is_said_and_nothing_is_not(clock, caplog, result, said):
    with caplog.at_level(logging.INFO):
        WithBackoff("relay", Job(result), level=logging.INFO, clock=clock)()

    assert [record.message for record in own_records(caplog)] == said


class Changes:
    forgotten = 0

    def any(self):
        return False

    def forget(self):
        self.forgotten += 1


@pytest.mark.parametrize(("outcome", "again"), [(None, 0), ({}, 0), ({"sent": 1}, 1), (ValueError(), 1), (AWAY, 1)])
def test_what_did_something_or_failed_is_run_again_though_nothing_changes(outcome, again, clock):
    changes = Changes()
    steady = WithBackoff("copy", Job(outcome), clock=clock, changes=changes)
    assert steady.finds_nothing()
    steady()
    assert changes.forgotten == again
    if isinstance(outcome, Exception):
        steady()
        assert changes.forgotten == again + 1, "left out in its pause, it has looked at nothing"
