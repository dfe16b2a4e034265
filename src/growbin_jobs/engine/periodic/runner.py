"""Runs a timetable; APScheduler is the timer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
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

#: Jobs with an interval of at most so many seconds are due at the same moments, a node's own, wherever their intervals
#: allow it: each moment wakes the timer, which costs more than most of these jobs.
SHORT = 5.0
#: The window for these moments.
SHORT_WINDOW = timedelta(seconds=0.5)


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
        self._scheduler = BackgroundScheduler(
            timezone=zone,
            # What is due is in our hands; a store of APScheduler's would be a second truth.
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(len(self._jobs))},
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

    def _schedule(self) -> None:
        for each in self._jobs:
            first = {"next_run_time": datetime.now(self._zone)} if each.at_once else {}
            run = WithBackoff(each.name, each.job, level=each.level, owner=self._owner)
            # Scheduled anew, also the time of the next run: it was computed by the clock before.
            trigger = DueTrigger(each.when, self._zone, self._offset(each.name, each.when))
            self._scheduler.add_job(run, trigger, id=each.name, replace_existing=True, **first)

    def _offset(self, job: str, when: When) -> timedelta:
        interval = {Every: getattr(when, "seconds", 0.0), Daily: 86_400.0}.get(type(when))
        if self._node is None or interval is None:
            return timedelta(0)
        if interval <= SHORT:
            return spread(self._node, "short", SHORT_WINDOW)
        return spread(self._node, job, window_of(timedelta(seconds=interval)))
