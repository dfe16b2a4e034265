"""Checks of the schedule of periodic jobs, for ``growbin-jobs doctor``."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings

#: Seconds that something that is due may wait for a scheduler.
_OVERDUE = 120.0


def check_schedule(settings: Settings) -> Iterator[Finding]:
    """Ask whether a scheduler runs, whether anything waits for one, and which jobs failed last."""
    from growbin_jobs.scheduler.overview import Overview, Trouble
    from growbin_jobs.scheduler.presence import overdue_seconds, present
    from growbin_jobs.scheduler.table import ONCE
    from growbin_jobs.wiring import central_database

    try:
        database = central_database(settings)
        nodes, overdue = present(database), overdue_seconds(database)
    except GrowbinError:  # said before: the database is away or lacks its tables
        return
    if overdue > _OVERDUE:
        remedy = "Start one: growbin-jobs scheduler" if not nodes else "Look into the log of the scheduler."
        yield Finding("schedule", "failed", f"What is due has waited for {overdue:.0f} s. {remedy}")
    elif not nodes:
        yield Finding("schedule", "warning", "No scheduler runs. Start one: growbin-jobs scheduler, or growbin-jobs up")
    else:
        yield Finding("schedule", "ok", f"{len(nodes)} schedulers, on {', '.join(dict.fromkeys(nodes))}")
    for job in Overview(database, ONCE, ZoneInfo(settings.timezone)).jobs():
        if job.last is not None and job.last.trouble is Trouble.FAILED:
            what = f"{job.job} of {job.last.due.isoformat(timespec='seconds')} {job.last.state}: {job.last.reason}"
            yield Finding("schedule", "failed", f"{what}. See: growbin-jobs schedule history {job.job}")
