"""The timetable runs what is due, again and again, and at once what is to begin so."""

import threading
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.engine.periodic.runner import Runner
from growbin_jobs.engine.periodic.timetable import PeriodicJob


class Counted:
    """A job that tells when it has run often enough."""

    def __init__(self, enough: int) -> None:
        self.done = threading.Event()
        self._left = enough

    def run_once(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.done.set()


def test_a_job_runs_at_each_due_time() -> None:
    job = Counted(3)
    runner = Runner([PeriodicJob("often", job, Every(0.02))], ZoneInfo("Asia/Seoul"), node="n1")
    runner.start()
    assert job.done.wait(30)
    runner.pause()


@pytest.mark.parametrize("seconds", [60.0, 3600.0])
def test_what_is_to_begin_at_once_does(seconds: float) -> None:
    job = Counted(1)
    runner = Runner([PeriodicJob("seldom", job, Every(seconds), at_once=True)], ZoneInfo("Asia/Seoul"))
    runner.start()
    assert job.done.wait(30)
    runner.pause()


class Changes:
    """Says that there are some as often as it is told to."""

    def __init__(self) -> None:
        self.left = 0

    def any(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def forget(self) -> None:
        self.left = max(self.left, 0) + 1


def test_a_job_is_left_out_where_nothing_has_changed() -> None:
    changes, other = Changes(), Counted(5)
    job, idle = Counted(1), Counted(1)
    jobs = [
        PeriodicJob("watched", job, Every(0.02), changes=changes),
        PeriodicJob("idle", idle, Every(0.02), changes=Changes()),
        PeriodicJob("other", other, Every(0.02)),
    ]
    runner = Runner(jobs, ZoneInfo("Asia/Seoul"))
    runner.start()
    assert other.done.wait(30)
    assert not job.done.is_set()
    changes.forget()
    assert job.done.wait(30)
    runner.pause()
    assert not idle.done.is_set()


class Held:
    """A job that does not end before it may."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Semaphore(0), threading.Semaphore(0)

    def run_once(self) -> None:
        self.began.release()
        self.may_end.acquire(timeout=30)


def test_a_change_during_a_run_is_for_the_next_run() -> None:
    changes, job, other = Changes(), Held(), Counted(5)
    changes.left = 1
    jobs = [PeriodicJob("held", job, Every(0.02), changes=changes), PeriodicJob("other", other, Every(0.02))]
    runner = Runner(jobs, ZoneInfo("Asia/Seoul"))
    runner.start()
    assert job.began.acquire(timeout=30)
    changes.left = 1
    assert other.done.wait(30)
    assert changes.left == 1, "nobody asked while it ran"
    job.may_end.release()
    assert job.began.acquire(timeout=30)
    job.may_end.release()
    runner.pause()


def test_a_thread_waits_for_the_next_job_and_several_run_at_once() -> None:
    held, jobs = Held(), [Counted(20), Counted(20)]
    table = [PeriodicJob("held", held, Every(0.02))]
    runner = Runner([*table, *(PeriodicJob(str(id(each)), each, Every(0.02)) for each in jobs)], ZoneInfo("Asia/Seoul"))
    before = threading.active_count()
    runner.start()
    assert all(each.done.wait(30) for each in jobs)
    assert threading.active_count() <= before + 1 + 3  # the timer, and one for each job
    held.may_end.release()
    runner.pause()


def test_an_end_waits_for_what_runs_and_nothing_begins_after_it() -> None:
    job, other = Held(), Counted(3)
    runner = Runner([PeriodicJob("held", job, Every(0.02)), PeriodicJob("other", other, Every(0.02))], ZoneInfo("UTC"))
    runner.start()
    assert job.began.acquire(timeout=30)
    assert other.done.wait(30)
    assert not runner.end(0.0)
    job.may_end.release()
    assert runner.end(30.0)
    assert not job.began.acquire(blocking=False)
