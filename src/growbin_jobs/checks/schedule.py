"""Checks of the schedule of periodic jobs, for ``growbin-jobs doctor``."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from growbin_jobs.engine.node.process_facts import STOPPED, facts_of
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings


def check_schedule(settings: Settings) -> Iterator[Finding]:
    """Ask whether a scheduler runs, whether anything waits for one, and which jobs failed last."""
    from growbin_jobs.scheduler.overview import Overview, Trouble
    from growbin_jobs.scheduler.presence import firing, pids_on
    from growbin_jobs.scheduler.table import ONCE
    from growbin_jobs.wiring import central_database

    try:
        database = central_database(settings)
        watched, here = firing(database), pids_on(database, settings.node)
    except GrowbinError:  # said before: the database is away or lacks its tables
        return
    for pid in filter(_is_stopped, here):
        detail = f"The scheduler (process {pid}) is stopped and does nothing. Continue it: kill -CONT {pid}"
        yield Finding("schedule", "warning", detail)
    if watched.is_overdue:
        remedy = "Look into the log of the scheduler." if watched.nodes else "Start one: growbin-jobs scheduler"
        yield Finding("schedule", "failed", f"What is due has waited for {watched.overdue:.0f} s. {remedy}")
    elif not watched.nodes:
        yield Finding("schedule", "warning", "No scheduler runs. Start one: growbin-jobs scheduler, or growbin-jobs up")
    else:
        nodes = ", ".join(dict.fromkeys(watched.nodes))
        yield Finding("schedule", "ok", f"{count_of(len(watched.nodes), 'scheduler')} on {nodes}")
    for job in Overview(database, ONCE, ZoneInfo(settings.timezone)).jobs():
        if job.last is not None and job.last.trouble is Trouble.FAILED:
            what = f"{job.job} of {job.last.due.isoformat(timespec='seconds')} {job.last.state}: {job.last.reason}"
            yield Finding("schedule", "failed", f"{what}. See: growbin-jobs schedule history {job.job}")


def _is_stopped(pid: int) -> bool:
    """Return whether it is a scheduler's process, and not a later one of its number, that is stopped (SIGSTOP)."""
    with suppress(OSError):
        facts = facts_of(pid)
        return (
            facts is not None and facts.state == STOPPED and b"scheduler" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    return False
