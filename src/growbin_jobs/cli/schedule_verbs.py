"""``growbin-jobs schedule run``, ``pause`` and ``resume``: what people do about periodic jobs."""

from typing import Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json, say
from growbin_jobs.cli.days import moment_of, zone_named
from growbin_jobs.cli.person import name_of_person
from growbin_jobs.cli.schedule_parts import Json, database, fired, ledger
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

JobName = Annotated[str, typer.Argument(help="A job, as `schedule list` shows it.")]


def run(
    job: JobName,
    due: Annotated[
        str | None, typer.Option(help="A due time that had no effect, as `schedule history --json` shows it.")
    ] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Have a job run now, or a due time that was missed, failed or skipped. A scheduler sends it within seconds.

    \b
    Examples:
      growbin-jobs schedule run cleanup.old_logs
      growbin-jobs schedule run statistics.aggregate_daily --due 2026-11-27T00:05
    """
    from growbin_jobs.cli import schedule_view as view

    found = fired(job)
    zone = zone_named(None)
    asked = moment_of(due, zone.key)
    record(database(), "schedule.run", target=found.name, details={"due": asked.isoformat() if asked else None})
    at = ledger().run_now(found, due=asked, by=name_of_person())
    print_json({"job": job, "due": at.isoformat()}) if json else view.print_asked(job, at, zone)


def pause(
    job: JobName,
    why: Annotated[str, typer.Option(help="For those who wonder later.")],
    until: Annotated[str | None, typer.Option(help="It goes on by itself then. Default: when it is resumed.")] = None,
    _engine: EngineName = None,
) -> None:
    """Skip a job's due times, until it is resumed. It survives restarts; what was skipped is not made up for.

    \b
    Examples:
      growbin-jobs schedule pause health.check_all_agents --why "the agents move"
      growbin-jobs schedule pause cleanup.old_logs --why audit --until 2026-12-24
    """
    from growbin_jobs.scheduler.registry import Registry

    ends, found = moment_of(until, zone_named(None).key), fired(job)
    record(
        database(), "schedule.paused", target=found.name, reason=why,
        details={"until": ends.isoformat() if ends else None},
    )  # fmt: skip
    Registry(database()).pause(found.name, by=name_of_person(), reason=why, until=ends)
    say(spoken("{job} is paused.", job=job))


def resume(job: JobName, _engine: EngineName = None) -> None:
    """Let a job's due times count again, from now on.

    \b
    Examples:
      growbin-jobs schedule resume health.check_all_agents
    """
    found = fired(job)
    record(database(), "schedule.resumed", target=found.name)
    ledger().resume(found)
    say(spoken("{job} goes on.", job=job))
