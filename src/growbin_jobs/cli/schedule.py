"""``growbin-jobs schedule …``: shows when periodic jobs are due, and what became of them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli import target
from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.days import check_order, moment_of, zone_named
from growbin_jobs.cli.person import language
from growbin_jobs.cli.schedule_parts import Json, database, known, overview
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    pass

Zone = Annotated[str | None, typer.Option(help="Zone of the times; default: GROWBIN_TIMEZONE.")]
From = Annotated[str | None, typer.Option("--from", help="A time such as 2026-12-01 or 2026-12-01T09:00.")]
Until = Annotated[str | None, typer.Option("--to", help="A time, as --from; what is due then is left out.")]

#: A span of time begins with --from and ends before --to, as people mean it: 00:00 belongs to the day that begins.
_MOMENT = timedelta(microseconds=1)


def list_(json: Json = False, _engine: EngineName = None) -> None:
    """Show all periodic jobs: when each is due next, and what became of it last. Exit code 1 when one has failed.

    \b
    Examples:
      growbin-jobs schedule list
      growbin-jobs schedule list --json | jq -r '.[] | select(.last.outcome == "failed") | .job'
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.scheduler.overview import Trouble

    jobs = overview().jobs()
    print_json(as_json(jobs)) if json else view.print_jobs(jobs, zone_named(None), language())
    raise typer.Exit(int(any(job.last is not None and job.last.trouble is Trouble.FAILED for job in jobs)))


def preview(
    from_: From = None,
    to: Until = None,
    zone: Zone = None,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    json: Json = False,
    _engine: EngineName = None,
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

    where = zone_named(zone)
    since = moment_of(from_, where.key) or datetime.now(UTC)
    until = moment_of(to, where.key) or since + timedelta(days=1)
    check_order(since, until)
    known(job)
    found = previewed(target.jobs(), where, since - _MOMENT, until - _MOMENT, job=job)
    for due, name in found if json else ():
        print_json({"due": due.isoformat(), "job": name})
    if not json:
        view.print_preview(found, where)


def plan(json: Json = False, _engine: EngineName = None) -> None:
    """Show what this version's table changes when its scheduler starts. Nothing that was due is replayed.

    \b
    Examples:
      growbin-jobs schedule plan
      growbin-jobs schedule plan --json | jq -r .job
    """
    from growbin_jobs.cli import schedule_view as view
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.scheduler.registry import Registry

    fired = [job for job in target.jobs() if not job.every_node]
    changes = Registry(database()).compare(fired, zone_named(None))
    for change in changes if json else ():
        print_json(as_json(change))
    if not json:
        view.print_plan(changes, zone_named(None))


def history(
    job: Annotated[str | None, typer.Argument(help="Only of this job.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 20,
    json: Json = False,
    _engine: EngineName = None,
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

    known(job)
    found = overview().history(job, limit=limit)
    for outcome in found if json else ():
        print_json(as_json(outcome))
    if not json:
        view.print_history(found, zone_named(None), language())


def verify(from_: From = None, to: Until = None, json: Json = False, _engine: EngineName = None) -> None:
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

    zone = zone_named(None)
    until = moment_of(to, zone.key) or datetime.now(UTC)
    since = moment_of(from_, zone.key) or until - timedelta(days=7)
    check_order(since, until)
    verdict = verified(database(), since - _MOMENT, until - _MOMENT)
    print_json(as_json(verdict)) if json else view.print_verdict(verdict, zone)
    raise typer.Exit(int(bool(verdict.findings)))
