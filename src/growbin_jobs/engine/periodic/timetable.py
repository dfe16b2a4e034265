"""The timetable of periodic jobs, as data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from growbin_jobs.engine.periodic.cron import Daily, Every
from growbin_jobs.engine.periodic.due import When

__all__ = ["Daily", "Every", "Job", "PeriodicJob"]


class Job(Protocol):
    """What a runner runs."""

    def run_once(self) -> Any:
        """Do it, and return a small result that is true where something was done."""


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job and when it is due.

    Attributes:
      name: In logs.
      job: What to run.
      when: Its interval or its time of day.
      at_once: True runs it as soon as the runner starts, too.
      level: Level of the log line that says what was done.
    """

    name: str
    job: Job
    when: When
    at_once: bool = False
    level: int = logging.DEBUG
