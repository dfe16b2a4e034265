"""Runs a timetable; APScheduler is the timer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.base import BaseExecutor, run_job  # type: ignore[import-untyped]
from apscheduler.jobstores.memory import MemoryJobStore  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from growbin_jobs.engine.periodic.clock import ClockWatch
from growbin_jobs.engine.periodic.cron import Daily, Every
from growbin_jobs.engine.periodic.due import When
from growbin_jobs.engine.periodic.spread import spread, window_of
from growbin_jobs.engine.periodic.timetable import PeriodicJob
from growbin_jobs.engine.periodic.trigger import DueTrigger
from growbin_jobs.engine.periodic.with_backoff import WithBackoff

logger = logging.getLogger(__name__)

#: Seconds by which the clock may be set before all jobs are scheduled anew.
CLOCK_JUMP = 5.0

#: A node's jobs are due on a grid of its own, so that many of them share a wake of the timer, which costs more than
#: most of these jobs.
GRID = timedelta(seconds=0.5)

#: Jobs with an interval of at most so many seconds are due at the same moments, wherever their intervals allow it.
SHORT = 5.0

#: So are those with an interval of at most so many seconds. They write to the central database: all at once, so that
#: whoever watches its file looks once.
MEDIUM = 20.0
#: The window for those.
MEDIUM_WINDOW = timedelta(seconds=2)


class _Threads(BaseExecutor):  # type: ignore[misc]
    """Wakes one thread for a job, and only where that may find something to do.

    APScheduler's pool wakes two: whoever takes a job lets the next waiter look whether there is another one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[_Thread] = []
        self.ended = threading.Event()  # set while no job runs
        self.ended.set()

    def submit_job(self, job: Any, run_times: list[datetime]) -> None:
        # One that still runs is not asked: what it has not seen must be left for the next run.
        if job.id in self._instances or not job.func.finds_nothing():
            super().submit_job(job, run_times)

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        thread = self._idle.pop() if self._idle else _Thread(self._idle.append)

        def run() -> None:
            self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))
            with self._lock:
                if not self._instances:
                    self.ended.set()

        self.ended.clear()  # under the same lock, and until it is released this job does not count as running
        thread.run(run)


class _Thread:
    """A thread that waits alone, and says when it waits again.

    Parameters:
      idle: Called with it then.
    """

    def __init__(self, idle: Callable[[_Thread], object]) -> None:
        self._idle = idle
        self._next: Callable[[], object] = lambda: None
        self._given = threading.Lock()
        self._given.acquire()
        threading.Thread(target=self._run, name="periodic", daemon=True).start()

    def run(self, call: Callable[[], object]) -> None:
        """Run a call, which must not raise."""
        self._next = call
        self._given.release()

    def _run(self) -> None:
        while True:
            self._given.acquire()
            self._next()
            self._idle(self)


class Runner:
    """Runs each job in a thread of its own, one run of a job at a time.

    A run that comes late is not skipped; several that were missed are one.

    Parameters:
      jobs: The timetable.
      zone: Of the times of day.
      node: Name of a node that shares its due times with others; its runs are spread. None: they begin on time.
      owner: First word of what is logged.
    """

    def __init__(
        self, jobs: Sequence[PeriodicJob], zone: ZoneInfo, *, node: str | None = None, owner: str = "keeper"
    ) -> None:
        self._jobs = tuple(jobs)
        self._zone = zone
        self._node = node
        self._owner = owner
        self._clock = ClockWatch(CLOCK_JUMP)
        self._threads = _Threads()
        self._scheduler = BackgroundScheduler(
            timezone=zone,
            # What is due is in our hands; a store of APScheduler's would be a second truth.
            jobstores={"default": MemoryJobStore()},
            executors={"default": self._threads},
            # Its default grace of 1 s loses runs on a busy machine (apscheduler#146).
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        """Schedule all jobs and begin."""
        self._schedule()
        self._scheduler.start()

    def check_clock(self) -> bool:
        """Schedule all jobs anew if the clock was set, and return whether it was; call it now and then."""
        if not self._clock.was_set():
            return False
        logger.warning("periodic.clock_was_set all jobs are scheduled anew")
        self._schedule()
        return True

    def pause(self) -> None:
        """Start no job any more; those that run go on."""
        self._scheduler.pause()
        self._scheduler.get_jobs()  # takes a lock that the timer has while it starts jobs: it starts none after this

    def end(self, seconds: float) -> bool:
        """Start no job any more, and wait until those that run have ended.

        Parameters:
          seconds: At most.

        Returns:
          Whether they have.
        """
        self.pause()
        return self._threads.ended.wait(seconds)

    def _schedule(self) -> None:
        for each in self._jobs:
            first = {"next_run_time": datetime.now(self._zone)} if each.at_once else {}
            run = WithBackoff(each.name, each.job, level=each.level, owner=self._owner, changes=each.changes)
            # Scheduled anew, also the time of the next run: it was computed by the clock before.
            trigger = DueTrigger(each.when, self._zone, self._offset(each.name, each.when))
            self._scheduler.add_job(run, trigger, id=each.name, replace_existing=True, **first)

    def _offset(self, job: str, when: When) -> timedelta:
        interval = {Every: getattr(when, "seconds", 0.0), Daily: 86_400.0}.get(type(when))
        if self._node is None or interval is None:
            return timedelta(0)
        grid = spread(self._node, "short", GRID)
        if interval <= SHORT:
            return grid
        if interval <= MEDIUM:
            offset = spread(self._node, "medium", MEDIUM_WINDOW)
        else:
            offset = spread(self._node, job, window_of(timedelta(seconds=interval)))
        return grid + offset // GRID * GRID
