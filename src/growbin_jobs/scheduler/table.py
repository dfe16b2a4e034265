"""The timetable of the cluster: every periodic job, as data. Times of day are of the zone ``GROWBIN_TIMEZONE``."""

from datetime import timedelta
from typing import Final

from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.names import WEEKLY_REPORT
from growbin_jobs.scheduler.jobs import Overlap, Period, RunAll, RunLatest, ScheduledJob

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)

#: Facts are counted from what was recorded, so a missed day can be made up for; beyond this its facts may be deleted.
_FACTS: Final = RunAll(most=62, max_age=62 * _DAY)

JOBS: Final[tuple[ScheduledJob, ...]] = (
    # What each node's keeper does (growbin_jobs.engine.keeper); listed here, run there.
    ScheduledJob(name="sweep", when=Every(300), route=None),
    ScheduledJob(name="checkpoint", when=Every(3600), route=None),
    ScheduledJob(name="prune", when=Cron("0 0 * * *"), route=None),
    # Once for the whole cluster.
    ScheduledJob(
        name="health.check_all_agents",
        when=Every(600),
        route=Route("health.check_all_agents", "health_checks"),
        catch_up=RunLatest(10 * _MINUTE),
        overlap=Overlap.SKIP,
        max_run=30 * _MINUTE,
        done_within=10 * _MINUTE,
    ),
    ScheduledJob(
        name="llm.check_all_models",
        when=Every(900),
        route=Route("llm.check_all_models", "llm_checks"),
        catch_up=RunLatest(15 * _MINUTE),
        overlap=Overlap.SKIP,
        max_run=45 * _MINUTE,
        done_within=15 * _MINUTE,
    ),
    ScheduledJob(
        name="statistics.aggregate_daily",
        when=Cron("5 0 * * *"),
        route=Route("statistics.aggregate_daily", "statistics"),
        period=Period.DAY,
        catch_up=_FACTS,
        max_run=2 * _HOUR,
        done_within=55 * _MINUTE,
    ),
    ScheduledJob(
        name="statistics.aggregate_weekly",
        when=Cron("0 1 * * 1"),
        route=Route("statistics.aggregate_weekly", "statistics"),
        period=Period.WEEK,
        catch_up=RunAll(most=9, max_age=63 * _DAY),
        max_run=2 * _HOUR,
        done_within=4 * _HOUR,
    ),
    ScheduledJob(
        name="statistics.aggregate_monthly",
        when=Cron("30 1 1 * *"),
        route=Route("statistics.aggregate_monthly", "statistics"),
        period=Period.MONTH,
        catch_up=RunAll(most=3, max_age=93 * _DAY),
        max_run=4 * _HOUR,
        done_within=8 * _HOUR,
    ),
    ScheduledJob(
        name="cleanup.old_logs",
        when=Cron("0 2 * * *"),
        route=Route("cleanup.old_logs", "cleanup"),
        catch_up=RunLatest(2 * _DAY),
        max_run=4 * _HOUR,
        done_within=8 * _HOUR,
    ),
    ScheduledJob(
        name="cleanup.old_sessions",
        when=Cron("0 3 * * 0"),
        route=Route("cleanup.old_sessions", "cleanup"),
        catch_up=RunLatest(7 * _DAY),
        max_run=8 * _HOUR,
        done_within=_DAY,
    ),
    ScheduledJob(
        name="cleanup.compress_statistics",
        when=Cron("0 4 1 * *"),
        route=Route("cleanup.compress_statistics", "cleanup"),
        catch_up=RunLatest(28 * _DAY),
        max_run=8 * _HOUR,
        done_within=_DAY,
    ),
    ScheduledJob(
        name="reports.weekly",
        when=Cron("0 9 * * 1"),
        route=WEEKLY_REPORT,
        period=Period.WEEK,
        catch_up=RunLatest(7 * _DAY),
        done_within=_HOUR,
        after="statistics.aggregate_weekly",
    ),
)

#: Those that the scheduler fires.
ONCE: Final = tuple(job for job in JOBS if not job.every_node)


def named(name: str, jobs: tuple[ScheduledJob, ...] = JOBS) -> ScheduledJob | None:
    """Return the job of a name, or None."""
    return next((job for job in jobs if job.name == name), None)
