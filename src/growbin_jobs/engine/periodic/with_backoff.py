"""Runs a job with back-off; logs a failing job once per back-off; never affects other jobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine import events
from growbin_jobs.engine.backoff import Backoff
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.foreign_errors import describe, places
from growbin_jobs.engine.periodic.timetable import Changes, Job

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
      changes: Tell whether there may be something to do; None: there always may.
    """

    def __init__(
        self,
        name: str,
        job: Job,
        *,
        level: int = logging.DEBUG,
        clock: Callable[[], float] = time.monotonic,
        owner: str = "keeper",
        changes: Changes | None = None,
    ) -> None:
        self._name = name
        self._owner = owner
        self._job = job
        self._level = level
        self._clock = clock
        self._backoff = Backoff(FIRST_PAUSE, LAST_PAUSE)
        self._not_before = 0.0
        self._changes = changes

    def finds_nothing(self) -> bool:
        """Return True where a run would find nothing: ask before each call, and only then."""
        return self._changes is not None and not self._changes.any()

    def __call__(self) -> None:
        """Run it, unless it has failed a moment ago and its pause is not over."""
        if self._clock() < self._not_before or self._run():
            self._look_again()

    def _run(self) -> bool:
        """Run it; return whether there is more to do."""
        began = self._clock()
        try:
            result = self._job.run_once()
        except (Deferred, BrokerConnectionError) as error:  # something is away: it is nobody's fault here
            events.JOB_WAITS.emit(owner=self._owner, job=self._name, next_try_in=self._put_off(), error=str(error))
        except Exception as error:
            events.JOB_FAILED.emit(
                owner=self._owner,
                job=self._name,
                next_try_in=self._put_off(),
                error=describe(error),
                where=places(error),
            )
        else:
            if self._backoff.reset():
                events.JOB_RECOVERED.emit(owner=self._owner, job=self._name)
            self._not_before = 0.0
            if result:
                duration = self._clock() - began
                events.JOB_DONE.emit(
                    owner=self._owner, job=self._name, did=str(result), duration=duration, level=self._level
                )
            return bool(result)
        return True

    def _look_again(self) -> None:
        if self._changes is not None:
            self._changes.forget()

    def _put_off(self) -> float:
        pause = self._backoff.failed()
        self._not_before = self._clock() + pause
        return pause
