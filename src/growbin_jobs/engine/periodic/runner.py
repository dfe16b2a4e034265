"""Runs a timetable; APScheduler is the timer, but for what is due every few seconds.

Each time that it wakes costs APScheduler as much as most of those jobs: that was half of what an idle keeper did.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
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

#: Seconds of the longest interval that a job's own thread waits for, whatever happens to the clock meanwhile.
SHORT = 60.0


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
        self._pausing = threading.Event()
        self._scheduler = BackgroundScheduler(
            timezone=zone,
            # What is due is in our hands; a store of APScheduler's would be a second truth.
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(max(1, sum(not _is_short(each.when) for each in self._jobs)))},
            # Its default grace of 1 s loses runs on a busy machine (apscheduler#146).
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def start(self) -> None:
        """Schedule all jobs and begin."""
        for each in self._jobs:
            if _is_short(each.when):
                name = f"{self._owner}-{each.name}"
                threading.Thread(target=self._repeat, args=(each,), name=name, daemon=True).start()
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
        self._pausing.set()
        self._scheduler.pause()

    def _repeat(self, each: PeriodicJob) -> None:
        """Run a job at each of its due times, in its own thread."""
        run, trigger = self._run_of(each), self._trigger_of(each)
        due: datetime | None = None
        if each.at_once:
            run()
        while True:
            now = datetime.now(UTC)
            if due is not None and due - now > timedelta(seconds=SHORT):
                due = None  # the clock was set back
            due = trigger.get_next_fire_time(due, now)
            if self._pausing.wait((due - now).total_seconds()):
                return
            run()

    def _schedule(self) -> None:
        for each in self._jobs:
            if not _is_short(each.when):
                first = {"next_run_time": datetime.now(self._zone)} if each.at_once else {}
                # Scheduled anew, also the time of the next run: it was computed by the clock before.
                trigger = self._trigger_of(each)
                self._scheduler.add_job(self._run_of(each), trigger, id=each.name, replace_existing=True, **first)

    def _run_of(self, each: PeriodicJob) -> Callable[[], None]:
        return WithBackoff(each.name, each.job, level=each.level, owner=self._owner)

    def _trigger_of(self, each: PeriodicJob) -> DueTrigger:
        return DueTrigger(each.when, self._zone, self._offset(each.name, each.when))

    def _offset(self, job: str, when: When) -> timedelta:
        interval = {Every: getattr(when, "seconds", 0.0), Daily: 86_400.0}.get(type(when))
        if self._node is None or interval is None:
            return timedelta(0)
        return spread(self._node, job, window_of(timedelta(seconds=interval)))


def _is_short(when: When) -> bool:
    return isinstance(when, Every) and when.seconds <= SHORT
