"""The timetable of the cluster: every periodic job, as data. Times of day are of the zone ``GROWBIN_TIMEZONE``."""

from datetime import timedelta
from typing import Final

from growbin_jobs import names
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.scheduler.jobs import Overlap, Period, RunAll, RunLatest, ScheduledJob

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)

#: Between two checks of each agent and of each model.
AGENTS_EVERY: Final = 10 * _MINUTE
MODELS_EVERY: Final = 15 * _MINUTE

#: Between two looks at what waits for a batch, and at batches that are due.
BATCHES_EVERY: Final = 5 * _MINUTE

#: Facts are counted from what was recorded, so a missed day can be made up for; beyond this its facts may be deleted.
_FACTS: Final = RunAll(most=62, max_age=62 * _DAY)

JOBS: Final[tuple[ScheduledJob, ...]] = (
    # What each node's keeper does (growbin_jobs.engine.keeper); listed here, run there.
    ScheduledJob(name="sweep", when=Every(300), route=None),
    ScheduledJob(name="checkpoint", when=Every(3600), route=None),
    ScheduledJob(name="prune", when=Cron("0 0 * * *"), route=None),
    # Once for the whole cluster.
    ScheduledJob(
        name=names.CHECK_ALL_AGENTS.actor,
        when=Every(int(AGENTS_EVERY.total_seconds())),
        route=names.CHECK_ALL_AGENTS,
        catch_up=RunLatest(AGENTS_EVERY),
        overlap=Overlap.SKIP,
        max_run=30 * _MINUTE,
        done_within=AGENTS_EVERY,
    ),
    ScheduledJob(
        name=names.CHECK_ALL_MODELS.actor,
        when=Every(int(MODELS_EVERY.total_seconds())),
        route=names.CHECK_ALL_MODELS,
        catch_up=RunLatest(MODELS_EVERY),
        overlap=Overlap.SKIP,
        max_run=45 * _MINUTE,
        done_within=MODELS_EVERY,
    ),
    ScheduledJob(
        name=names.CHECK_MODEL_ENDS.actor,
        when=Cron("0 8 * * *"),
        route=names.CHECK_MODEL_ENDS,
        overlap=Overlap.SKIP,
        max_run=30 * _MINUTE,
        done_within=_HOUR,
    ),
    *(
        ScheduledJob(
            name=route.actor,
            when=Every(int(BATCHES_EVERY.total_seconds())),
            route=route,
            catch_up=RunLatest(BATCHES_EVERY),
            overlap=Overlap.SKIP,
            max_run=_HOUR,
            done_within=_HOUR,
        )
        for route in (names.MAKE_BATCHES, names.LOOK_AFTER_BATCHES)
    ),
    ScheduledJob(
        name=names.AGGREGATE_DAILY.actor,
        when=Cron("5 0 * * *"),
        route=names.AGGREGATE_DAILY,
        period=Period.DAY,
        catch_up=_FACTS,
        max_run=2 * _HOUR,
        done_within=55 * _MINUTE,
    ),
    ScheduledJob(
        name=names.AGGREGATE_WEEKLY.actor,
        when=Cron("0 1 * * 1"),
        route=names.AGGREGATE_WEEKLY,
        period=Period.WEEK,
        catch_up=RunAll(most=9, max_age=63 * _DAY),
        max_run=2 * _HOUR,
        done_within=4 * _HOUR,
    ),
    ScheduledJob(
        name=names.AGGREGATE_MONTHLY.actor,
        when=Cron("30 1 1 * *"),
        route=names.AGGREGATE_MONTHLY,
        period=Period.MONTH,
        catch_up=RunAll(most=3, max_age=93 * _DAY),
        max_run=4 * _HOUR,
        done_within=8 * _HOUR,
    ),
    ScheduledJob(
        name=names.OLD_LOGS.actor,
        when=Cron("0 2 * * *"),
        route=names.OLD_LOGS,
        catch_up=RunLatest(2 * _DAY),
        max_run=4 * _HOUR,
        done_within=8 * _HOUR,
    ),
    ScheduledJob(
        name=names.OLD_SESSIONS.actor,
        when=Cron("0 3 * * 0"),
        route=names.OLD_SESSIONS,
        catch_up=RunLatest(7 * _DAY),
        max_run=8 * _HOUR,
        done_within=_DAY,
    ),
    ScheduledJob(
        name=names.COMPRESS_STATISTICS.actor,
        when=Cron("0 4 1 * *"),
        route=names.COMPRESS_STATISTICS,
        catch_up=RunLatest(28 * _DAY),
        max_run=8 * _HOUR,
        done_within=_DAY,
    ),
    ScheduledJob(
        name=names.WEEKLY_REPORT.actor,
        when=Cron("0 9 * * 1"),
        route=names.WEEKLY_REPORT,
        period=Period.WEEK,
        catch_up=RunLatest(7 * _DAY),
        done_within=_HOUR,
        after=names.AGGREGATE_WEEKLY.actor,
    ),
)

#: Those that the scheduler fires.
ONCE: Final = tuple(job for job in JOBS if not job.every_node)
