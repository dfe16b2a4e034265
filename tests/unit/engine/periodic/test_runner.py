"""The timetable runs what is due every few seconds in the job's own thread, and the rest by APScheduler."""

import threading
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.engine.periodic.runner import SHORT, Runner
from growbin_jobs.engine.periodic.timetable import PeriodicJob


class Counted:
    """A job that tells when it has run often enough."""

    def __init__(self, enough: int) -> None:
        self.runs = 0
        self.threads: set[str] = set()
        self.done = threading.Event()
        self._enough = enough

    def run_once(self) -> None:
        self.runs += 1
        self.threads.add(threading.current_thread().name)
        if self.runs >= self._enough:
            self.done.set()


def test_a_short_job_runs_at_each_due_time_until_the_pause() -> None:
    job = Counted(3)
    runner = Runner([PeriodicJob("often", job, Every(0.02))], ZoneInfo("Asia/Seoul"), node="n1")
    runner.start()
    assert job.done.wait(30)
    runner.pause()
    [thread] = [each for each in threading.enumerate() if each.name in job.threads]
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("seconds", [SHORT, SHORT + 1])
def test_what_is_to_begin_at_once_does(seconds: float) -> None:
    job = Counted(1)
    runner = Runner([PeriodicJob("seldom", job, Every(seconds), at_once=True)], ZoneInfo("Asia/Seoul"))
    runner.start()
    assert job.done.wait(30)
    runner.pause()
