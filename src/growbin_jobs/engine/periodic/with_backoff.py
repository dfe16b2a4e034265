"""Runs a job with back-off; logs a failing job once per back-off; never affects other jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.backoff import Backoff
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.periodic.timetable import Job

logger = logging.getLogger(__name__)

#: Seconds that a job is left alone after a failure: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0


class WithBackoff:
    """A job for the runner; calling it never raises.

    Parameters:
      name: In logs.
      job: What to run.
      level: At which what was done is logged.
      clock: Seconds that only grow.
      owner: First word of what is logged.
    """

    def __init__(
        self,
        name: str,
        job: Job,
        *,
        level: int = logging.DEBUG,
        clock: Callable[[], float] = time.monotonic,
        owner: str = "keeper",
    ) -> None:
        self._name = name
        self._owner = owner
        self._job = job
        self._level = level
        self._clock = clock
        self._backoff = Backoff(FIRST_PAUSE, LAST_PAUSE)
        self._not_before = 0.0

    def __call__(self) -> None:
        """Run it, unless it has failed a moment ago and its pause is not over."""
        if self._clock() < self._not_before:
            return
        try:
            result = self._job.run_once()
        except (Deferred, BrokerConnectionError) as error:  # something is away: it is nobody's fault here
            pause = self._put_off()
            logger.warning("%s.job_waits job=%s next_try_in=%.0f error=%s", self._owner, self._name, pause, error)
        except Exception:
            logger.exception("%s.job_failed job=%s next_try_in=%.0f", self._owner, self._name, self._put_off())
        else:
            if self._backoff.reset():
                logger.info("%s.job_recovered job=%s", self._owner, self._name)
            self._not_before = 0.0
            if result:
                logger.log(self._level, "%s.job_done job=%s result=%s", self._owner, self._name, result)

    def _put_off(self) -> float:
        pause = self._backoff.failed()
        self._not_before = self._clock() + pause
        return pause
