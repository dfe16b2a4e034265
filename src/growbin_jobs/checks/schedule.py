"""Checks of the schedule of periodic jobs, for ``growbin-jobs doctor``."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.node.process_facts import STOPPED, facts_of
from growbin_jobs.engine.text import count_of
from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.finding import Finding
from growbin_jobs.scheduler.jobs import ScheduledJob


def check_schedule(config: EngineConfig, jobs: Sequence[ScheduledJob], module: str | None = None) -> Iterator[Finding]:
    """Ask whether a scheduler runs, whether anything waits for one, and which jobs failed last.

    Parameters:
      config: Of this node.
      jobs: Those that schedulers fire.
      module: Of another engine, for its commands; None: Growbin's.
    """
    from growbin_jobs.engine.opening import open_central
    from growbin_jobs.scheduler.overview import Overview, Trouble
    from growbin_jobs.scheduler.presence import firing, pids_on

    engine, up = (f" --engine {module}", f" {module}") if module else ("", "")
    try:
        database = open_central(config)
        watched, here = firing(database), pids_on(database, config.node)
    except GrowbinError:  # said before: the database is away or lacks its tables
        return
    for pid in filter(_is_stopped, here):
        detail = f"The scheduler (process {pid}) is stopped and does nothing. Continue it: kill -CONT {pid}"
        yield Finding("schedule", "warning", detail)
    if watched.is_overdue:
        start = f"Start one: growbin-jobs scheduler{engine}"
        remedy = "Look into the log of the scheduler." if watched.nodes else start
        yield Finding("schedule", "failed", f"What is due has waited for {watched.overdue:.0f} s. {remedy}")
    elif not watched.nodes:
        detail = f"No scheduler runs. Start one: growbin-jobs scheduler{engine}, or growbin-jobs up{up}"
        yield Finding("schedule", "warning", detail)
    else:
        nodes = ", ".join(dict.fromkeys(watched.nodes))
        yield Finding("schedule", "ok", f"{count_of(len(watched.nodes), 'scheduler')} on {nodes}")
    for job in Overview(database, jobs, ZoneInfo(config.timezone)).jobs():
        if job.last is not None and job.last.trouble is Trouble.FAILED:
            what = f"{job.job} of {job.last.due.isoformat(timespec='seconds')} {job.last.state}: {job.last.reason}"
            yield Finding("schedule", "failed", f"{what}. See: growbin-jobs schedule history {job.job}{engine}")


def _is_stopped(pid: int) -> bool:
    """Return whether it is a scheduler's process, and not a later one of its number, that is stopped (SIGSTOP)."""
    with suppress(OSError):
        facts = facts_of(pid)
        return (
            facts is not None and facts.state == STOPPED and b"scheduler" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    return False
