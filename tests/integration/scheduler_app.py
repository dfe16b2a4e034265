"""A scheduler of the tests: one job that is due each second, and leases of a second and a half.

``python scheduler_app.py``; settings from the environment, as ``python -m growbin_jobs.scheduler``.
``TEST_SKEW``: seconds by which this process's clock is wrong. ``TEST_EVERY``: seconds between two due times.
"""

import logging
import os
import sys
from datetime import datetime, timedelta, tzinfo

from apscheduler.schedulers import base

from growbin_jobs import settings as _settings
from growbin_jobs.engine.crashpoints import arm
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic import runner
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.scheduler import claims, tick
from growbin_jobs.scheduler.jobs import Overlap, RunAll, ScheduledJob
from growbin_jobs.scheduler.service import Scheduler
from growbin_jobs.wiring import engine_config

ROUTE = Route("note_a_second", "seconds")
JOB = ScheduledJob(
    name="seconds",
    when=Every(float(os.environ.get("TEST_EVERY", "1"))),
    route=ROUTE,
    catch_up=RunAll(1000, timedelta(hours=1), timedelta(0)),
    overlap=Overlap.ALLOW,
)

SKEW = timedelta(seconds=float(os.environ.get("TEST_SKEW", "0")))


class Skewed(datetime):
    """A clock that is wrong."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + SKEW


if __name__ == "__main__":
    if SKEW:
        base.datetime = runner.datetime = Skewed
    logging.basicConfig(level=logging.INFO)
    claims.LEASE = tick.LEASE = timedelta(seconds=1.5)
    settings = _settings.load()
    arm(settings.crashpoint)
    scheduler = Scheduler(engine_config(settings), [JOB])
    scheduler.listen()
    sys.exit(scheduler.serve())
