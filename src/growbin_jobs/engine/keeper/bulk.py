"""The keeper's job that works on bulk jobs: one keeper of the cluster at a time on each, under a lease."""

from __future__ import annotations

import time
from dataclasses import dataclass

from growbin_jobs.engine import events
from growbin_jobs.engine.central.bulk_jobs import BulkJob
from growbin_jobs.engine.central.bulk_work import BulkWork
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.deeds import deeds
from growbin_jobs.engine.periodic.timetable import Changes

#: Seconds that one run works on one job, so that others have their turn; and that it waits for a pace.
TURN, PATIENCE = 5.0, 0.5


@dataclass(frozen=True, slots=True)
class WorkBulk:
    """Work on what is due.

    Attributes:
      worker: Name of this process, which no other one has.
      changes: Those that decide whether this is run; None: it always is.
    """

    database: Database
    worker: str
    changes: Changes | None = None

    def run_once(self) -> dict[str, int]:
        """Do some targets of one job.

        Raises:
          Deferred: The database is away.
        """
        work = BulkWork(self.database, deeds(self.database), self.worker)
        job = work.take()
        if job is not None:
            return {"targets": self._work_on(work, job)}
        if self.changes is not None and work.any_left():  # nobody writes when its time has come
            self.changes.forget()
        return {}

    def _work_on(self, work: BulkWork, job: BulkJob) -> int:
        end, done = time.monotonic() + TURN, 0
        step = work.step(job)
        while step.goes_on and step.wait <= PATIENCE and time.monotonic() < end:
            done += step.done
            time.sleep(step.wait)
            step = work.step(job)
        done += step.done
        if done or not step.goes_on:
            events.BULK_WORKED.emit(id=job.id, verb=job.verb, targets=done, ended=not step.goes_on)
        if step.goes_on:
            work.release(job)
        return done
