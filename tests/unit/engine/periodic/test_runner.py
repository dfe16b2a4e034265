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
