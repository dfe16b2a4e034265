"""Runs a timetable; APScheduler is the timer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from growbin_jobs.engine.periodic.clock import ClockWatch
from growbin_jobs.engine.periodic.timetable import Daily, Every, PeriodicJob
from growbin_jobs.engine.periodic.with_backoff import WithBackoff

logger = logging.getLogger(__name__)

#: Seconds by which the clock may be set before all jobs are scheduled anew.
CLOCK_JUMP = 5.0


class Runner:
    """Runs each job in a thread of its own, one run of a job at a time.

    A run that comes late is not skipped; several that were missed are one.

    Parameters:
      jobs: The timetable.
      zone: Of the times of day.
    """

    def __init__(self, jobs: Sequence[PeriodicJob], zone: ZoneInfo) -> None:
        self._jobs = tuple(jobs)
        self._zone = zone
        self._clock = ClockWatch(CLOCK_JUMP)
        self._scheduler = BackgroundScheduler(
            timezone=zone,
            executors={"default": ThreadPoolExecutor(len(self._jobs))},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        """Schedule all jobs and begin."""
        self._schedule()
        self._scheduler.start()

    def check_clock(self) -> None:
        """Schedule all jobs anew if the clock was set; call it now and then."""
        if self._clock.was_set():
            logger.warning("periodic.clock_was_set all jobs are scheduled anew")
            self._schedule()

    def pause(self) -> None:
        """Start no job any more; those that run go on."""
        self._scheduler.pause()

    def _schedule(self) -> None:
        for each in self._jobs:
            first = {"next_run_time": datetime.now(self._zone)} if each.at_once else {}
            run = WithBackoff(each.name, each.job, level=each.level)
            # A fresh trigger each time: it remembers when the clock told it to begin.
            self._scheduler.add_job(run, self._trigger(each.when), id=each.name, replace_existing=True, **first)

    def _trigger(self, when: Every | Daily) -> BaseTrigger:
        if isinstance(when, Every):
            return IntervalTrigger(seconds=when.seconds, timezone=self._zone)
        return CronTrigger(hour=when.hour, minute=when.minute, timezone=self._zone)
