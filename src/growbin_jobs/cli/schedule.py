"""``growbin-jobs scheduler`` and ``growbin-jobs schedule …``: periodic jobs."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from growbin_jobs.cli.console import print_json, say
from growbin_jobs.cli.days import check_order, moment_of
from growbin_jobs.cli.person import language, name_of_person

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.scheduler.jobs import ScheduledJob
    from growbin_jobs.scheduler.ledger import Ledger
    from growbin_jobs.scheduler.overview import Overview

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
JobName = Annotated[str, typer.Argument(help="A job, as `schedule list` shows it.")]
Zone = Annotated[str | None, typer.Option(help="Zone of the times; default: GROWBIN_TIMEZONE.")]
From = Annotated[str | None, typer.Option("--from", help="A time such as 2026-12-01 or 2026-12-01T09:00.")]
Until = Annotated[str | None, typer.Option("--to", help="A time, as --from; what is due then is left out.")]

#: A span of time begins with --from and ends before --to, as people mean it: 00:00 belongs to the day that begins.
_MOMENT = timedelta(microseconds=1)


def scheduler() -> None:
    """Fire the periodic jobs. Any number may run: each due time has its effect once. Ctrl-C stops.

    \b
    Examples:
      growbin-jobs scheduler
      GROWBIN_SCHEDULE_PING_URL=https://hc-ping.example/… growbin-jobs scheduler
    """
    import os
    import sys

    from growbin_jobs.cli.command_line import scheduler_command

    command = scheduler_command()
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 ourselves


def list_(json: Json = False) -> None:
    """Show all periodic jobs: when each is due next, and what became of it last. Exit code 1 when one has failed.

    \b
    Examples:
      growbin-jobs schedule list
      growbin-jobs schedule list --json | jq -r '.[] | select(.last.outcome == "failed") | .job'
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.scheduler.overview import Trouble

    jobs = _overview().jobs()
    print_json(as_json(jobs)) if json else view.print_jobs(jobs, _zone(None), language())
    raise typer.Exit(int(any(job.last is not None and job.last.trouble is Trouble.FAILED for job in jobs)))


def preview(
    from_: From = None,
    to: Until = None,
    zone: Zone = None,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    json: Json = False,
) -> None:
    """Show the due times to come, by default of the next day.

    \b
    Examples:
      growbin-jobs schedule preview
      growbin-jobs schedule preview --job reports.weekly --from 2026-12-01 --to 2027-01-01
      growbin-jobs schedule preview --zone America/New_York --from 2027-03-13 --to 2027-03-15
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.scheduler.overview import preview as previewed
    from growbin_jobs.scheduler.table import JOBS

    where = _zone(zone)
    since = moment_of(from_, where.key) or datetime.now(UTC)
    until = moment_of(to, where.key) or since + timedelta(days=1)
    check_order(since, until)
    _known(job)
    found = previewed(JOBS, where, since - _MOMENT, until - _MOMENT, job=job)
    for due, name in found if json else ():
        print_json({"due": due.isoformat(), "job": name})
    if not json:
        view.print_preview(found, where)


def plan(json: Json = False) -> None:
    """Show what this version's table changes when its scheduler starts. Nothing that was due is replayed.

    \b
    Examples:
      growbin-jobs schedule plan
      growbin-jobs schedule plan --json | jq -r .job
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.scheduler.registry import Registry
    from growbin_jobs.scheduler.table import ONCE

    changes = Registry(_database()).compare(ONCE, _zone(None))
    for change in changes if json else ():
        print_json(as_json(change))
    if not json:
        view.print_plan(changes, _zone(None))


def history(
    job: Annotated[str | None, typer.Argument(help="Only of this job.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 20,
    json: Json = False,
) -> None:
    """Show what became of the latest due times, the newest first.

    \b
    Examples:
      growbin-jobs schedule history
      growbin-jobs schedule history statistics.aggregate_daily --limit 40
      growbin-jobs schedule history --json | jq -r 'select(.outcome == "missed")'
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.operations.json_ready import as_json

    _known(job)
    found = _overview().history(job, limit=limit)
    for outcome in found if json else ():
        print_json(as_json(outcome))
    if not json:
        view.print_history(found, _zone(None), language())


def run(
    job: JobName,
    due: Annotated[
        str | None, typer.Option(help="A due time that had no effect, as `schedule history --json` shows it.")
    ] = None,
    json: Json = False,
) -> None:
    """Have a job run now, or a due time that was missed, failed or skipped. A scheduler sends it within seconds.

    \b
    Examples:
      growbin-jobs schedule run cleanup.old_logs
      growbin-jobs schedule run statistics.aggregate_daily --due 2026-11-27T00:05
    """
    from growbin_jobs.cli import schedule_view as view

    found = _fired(job)
    zone = _zone(None)
    at = _ledger().run_now(found, due=moment_of(due, zone.key), by=name_of_person())
    print_json({"job": job, "due": at.isoformat()}) if json else view.print_asked(job, at, zone)


def pause(
    job: JobName,
    why: Annotated[str, typer.Option(help="For those who wonder later.")],
    until: Annotated[str | None, typer.Option(help="It goes on by itself then. Default: when it is resumed.")] = None,
) -> None:
    """Skip a job's due times, until it is resumed. It survives restarts; what was skipped is not made up for.

    \b
    Examples:
      growbin-jobs schedule pause health.check_all_agents --why "the agents move"
      growbin-jobs schedule pause cleanup.old_logs --why audit --until 2026-12-24
    """
    from growbin_jobs.scheduler.registry import Registry

    ends = moment_of(until, _zone(None).key)
    Registry(_database()).pause(_fired(job).name, by=name_of_person(), reason=why, until=ends)
    say(f"{job} is paused.")


def resume(job: JobName) -> None:
    """Let a job's due times count again, from now on.

    \b
    Examples:
      growbin-jobs schedule resume health.check_all_agents
    """
    _ledger().resume(_fired(job))
    say(f"{job} goes on.")


def verify(from_: From = None, to: Until = None, json: Json = False) -> None:
    """Recompute, by another algorithm, that each due time had one effect. Exit code 1 with the holes and doubles.

    By default of the last 7 days.

    \b
    Examples:
      growbin-jobs schedule verify
      growbin-jobs schedule verify --from 2026-11-01 --to 2026-12-01 --json
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.scheduler.verify import verify as verified

    zone = _zone(None)
    until = moment_of(to, zone.key) or datetime.now(UTC)
    since = moment_of(from_, zone.key) or until - timedelta(days=7)
    check_order(since, until)
    verdict = verified(_database(), since - _MOMENT, until - _MOMENT)
    print_json(as_json(verdict)) if json else view.print_verdict(verdict, zone)
    raise typer.Exit(int(bool(verdict.findings)))


# --- what commands stand on


def _database() -> "Database":
    from growbin_jobs.cli import target

    return target.central()


def _overview() -> "Overview":
    from growbin_jobs.scheduler.overview import Overview
    from growbin_jobs.scheduler.table import JOBS

    return Overview(_database(), JOBS, _zone(None))


def _ledger() -> "Ledger":
    from growbin_jobs.scheduler.ledger import Ledger

    return Ledger(_database(), "cli")


def _zone(name: str | None) -> ZoneInfo:
    from zoneinfo import ZoneInfoNotFoundError

    from growbin_jobs import settings as _settings
    from growbin_jobs.errors import ConfigurationError

    try:
        return ZoneInfo(name or _settings.load().timezone)
    except (ValueError, ZoneInfoNotFoundError):
        raise ConfigurationError(f"There is no time zone {name!r}; names are such as Asia/Seoul or UTC.") from None


def _known(job: str | None) -> "ScheduledJob | None":
    from growbin_jobs.errors import NotFound
    from growbin_jobs.scheduler.table import named

    found = named(job) if job is not None else None
    if job is not None and found is None:
        raise NotFound(f"There is no job {job!r}. `growbin-jobs schedule list` shows them.")
    return found


def _fired(job: str) -> "ScheduledJob":
    from growbin_jobs.errors import NotFound

    found = _known(job)
    assert found is not None
    if found.every_node:
        raise NotFound(f"{job} is done by the keeper of every node; it cannot be run, paused or resumed from here.")
    return found
