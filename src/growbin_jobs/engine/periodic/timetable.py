"""The timetable of periodic jobs, as data."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from growbin_jobs.engine.periodic.cron import Daily, Every
from growbin_jobs.engine.periodic.due import When

__all__ = ["Changes", "Daily", "Every", "Job", "PeriodicJob"]


class Job(Protocol):
    """What a runner runs."""

    def run_once(self) -> Any:
        """Do it, and return a small result that is true where something was done, or is left to do."""


class Changes(Protocol):
    """Tells cheaply whether there may be something to do, such as whether a file was written."""

    def any(self) -> bool:
        """Return False only if nothing has changed since this last returned True; a few microseconds."""

    def forget(self) -> None:
        """Let the next answer be yes: what was to be done then was not, or is not all that there is."""


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job and when it is due.

    Attributes:
      name: In logs.
      job: What to run.
      when: Its interval or its time of day.
      at_once: True runs it as soon as the runner starts, too.
      changes: Where they tell of none, a run is left out: the last one found nothing, and so would this. None: it is
        never left out.
      level: Level of the log line that says what was done.
    """

    name: str
    job: Job
    when: When
    at_once: bool = False
    changes: Changes | None = None
    level: int = logging.DEBUG
