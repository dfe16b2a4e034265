"""``growbin-jobs bulk …``: one thing done to many dead letters, with a preview, at a pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.dead_choice import Actor, Code, Hours, Queue
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import language, name_of_person
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.operations.bulk import BulkView

JobId = Annotated[str, typer.Argument(metavar="ID", help="The job, as `bulk preview` and `bulk list` show it.")]


def list_(json: Json = False, _engine: EngineName = None) -> None:
    """List the bulk jobs that were started, the newest first, with their progress.

    \b
    Examples:
      growbin-jobs bulk list
      growbin-jobs bulk list --json | jq -r 'select(.state == "running") | .id'
    """
    from growbin_jobs.cli import bulk_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.operations import bulk
    from growbin_jobs.operations.json_ready import as_json

    found = bulk.history(target.central())
    if not json:
        view.print_jobs(found, language())
    for job in found if json else ():
        print_json(as_json(job))


def show(job_id: JobId, json: Json = False, _engine: EngineName = None) -> None:
    """Show one bulk job: its preview, its progress, and what could not be done.

    \b
    Examples:
      growbin-jobs bulk show 3f9a1c2b7d10
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import bulk

    _show(bulk.get(target.central(), job_id), json=json)


def preview(
    verb: Annotated[str, typer.Argument(help="retry or discard.")] = "retry",
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    node: Annotated[str | None, typer.Option(help="Only of this node.")] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Freeze the dead letters of all nodes that fit now, and show what would be done; nothing is done yet.

    Shown are how many, their reasons, those that cannot be retried, and what a retry is expected to cost and take at
    the limits that hold. Answers of models that are saved cost nothing. `bulk start` does it to this very set.

    \b
    Examples:
      growbin-jobs bulk preview retry --code retries_exhausted --hours 24
      growbin-jobs bulk preview discard --actor analyze_image --json | jq .preview
    """
    from datetime import UTC, datetime, timedelta

    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import target
    from growbin_jobs.operating import prices_of
    from growbin_jobs.operations import bulk_preview
    from growbin_jobs.operations.bulk_preview import NO_MODELS, Choice

    if verb not in ("retry", "discard"):
        raise typer.BadParameter("It is retry or discard.")
    database = target.central()
    since = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
    choice = Choice(queue=queue, actor=actor, code=code, node=node, since=since)
    prices = prices_of(_settings.load(), database) if target.is_growbin() else NO_MODELS
    found = bulk_preview.preview(
        database, "retry" if verb == "retry" else "discard", choice, by=name_of_person(), prices=prices
    )
    _show(found, json=json)


def start(
    job_id: JobId,
    name: Annotated[str, typer.Option(help="For the history.")] = "",
    pace: Annotated[float | None, typer.Option(help="At most so many a minute.", min=0.01)] = None,
    why: Annotated[str, typer.Option(help="For those who wonder later.")] = "",
    count: Annotated[
        int | None, typer.Option(help="How many they are; needed above 100, so that it is sure.", min=0)
    ] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Let a previewed set begin in 30 seconds; until then `bulk undo` takes it back.

    The keepers of the nodes work on it, one at a time; when that one dies another one goes on.

    \b
    Examples:
      growbin-jobs bulk start 3f9a1c2b7d10 --name "after the outage" --pace 100
      growbin-jobs bulk start 3f9a1c2b7d10 --count 1240
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import bulk

    database = target.central()
    record(database, "bulk.started", target=job_id, reason=why, details={"name": name, "pace": pace})
    begun = bulk.start(database, job_id, by=name_of_person(), name=name, pace=pace, reason=why, typed=count)
    _show(begun, json=json)


def undo(job_id: JobId, json: Json = False, _engine: EngineName = None) -> None:
    """Take a bulk job back that has not begun.

    \b
    Examples:
      growbin-jobs bulk undo 3f9a1c2b7d10
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import bulk

    database = target.central()
    record(database, "bulk.undone", target=job_id)
    _show(bulk.undo(database, job_id), json=json)


def stop(job_id: JobId, json: Json = False, _engine: EngineName = None) -> None:
    """Let a running bulk job rest; what it has done stays done.

    \b
    Examples:
      growbin-jobs bulk stop 3f9a1c2b7d10
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import bulk

    database = target.central()
    record(database, "bulk.stopped", target=job_id)
    _show(bulk.stop(database, job_id, by=name_of_person()), json=json)


def resume(job_id: JobId, json: Json = False, _engine: EngineName = None) -> None:
    """Let a stopped bulk job go on where it was.

    \b
    Examples:
      growbin-jobs bulk resume 3f9a1c2b7d10
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations import bulk

    database = target.central()
    record(database, "bulk.resumed", target=job_id)
    _show(bulk.resume(database, job_id), json=json)


def _show(job: BulkView, *, json: bool) -> None:
    from growbin_jobs.cli import bulk_view as view
    from growbin_jobs.operations.json_ready import as_json

    print_json(as_json(job)) if json else view.print_job(job, language())
