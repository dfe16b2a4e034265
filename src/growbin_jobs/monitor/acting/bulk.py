"""Acts on many: drafts of bulk jobs from the filters of a page, and their starts and stops."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from growbin_jobs.engine.central.search.task_search import MOST_LINES, TaskSearch
from growbin_jobs.errors import Conflict
from growbin_jobs.monitor.acting.actor import name_of, prices_of
from growbin_jobs.monitor.reading.task_query import TaskQuery
from growbin_jobs.monitor.recording import record
from growbin_jobs.monitor.services import Services
from growbin_jobs.operations import bulk, bulk_preview
from growbin_jobs.operations.bulk import BulkView
from growbin_jobs.operations.bulk_preview import Choice, Verb
from growbin_jobs.operations.error_groups import tasks_of_group

#: Tasks that one job runs again at most, and pages that are looked at for them.
MOST_TASKS, MOST_PAGES = 20_000, 200


def preview(request: Request, verb: Verb, choice: Choice) -> BulkView:
    """Freeze dead letters; see :func:`growbin_jobs.operations.bulk_preview.preview`."""
    services: Services = request.app.state.services
    record(request, "bulk.previewed", target=verb, details=choice.as_dict())
    return bulk_preview.preview(services.database, verb, choice, by=name_of(request), prices=prices_of(services))


def preview_group(request: Request, verb: Verb, key: str, hours: int) -> BulkView:
    """Freeze the dead letters of an error group."""
    until = datetime.now(UTC)
    since = until - timedelta(hours=hours)
    tasks = tasks_of_group(request.app.state.services.database, key, since=since, until=until)
    return preview(request, verb, Choice(tasks=tuple(tasks), since=since - timedelta(minutes=1), title=f"group {key}"))


def preview_tasks(request: Request, query: TaskQuery, *, fresh: bool = False) -> BulkView:
    """Freeze the tasks that a search finds, to be run again.

    Raises:
      SearchError: The search cannot be read.
      Conflict: There are none, or too many.
    """
    services: Services = request.app.state.services
    search, expression = TaskSearch(services.database), query.expression(request)
    found: list[tuple[str, str, str]] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = search.page(expression, cursor=cursor, limit=MOST_LINES)
        found += [(each.task_id, each.task_name, each.status) for each in page.tasks]
        cursor = page.next or page.go_on
        if cursor is None or len(found) > MOST_TASKS:
            break
    if cursor is not None:
        raise Conflict(f"These are more than {MOST_TASKS:,}, or the search is too wide. Choose fewer, such as one day.")
    title = query.q or " ".join(f"{name}:{value}" for name in ("state", "actor") if (value := getattr(query, name)))
    record(request, "bulk.previewed", target="run_again", details={"count": len(found), "fresh": fresh})
    return bulk_preview.preview_tasks(
        services.database, found, by=name_of(request), prices=prices_of(services), title=title[:100], fresh=fresh
    )


def start(
    request: Request, job_id: str, *, name: str = "", pace: float | None = None, reason: str = "",
    typed: int | None = None,
) -> BulkView:  # fmt: skip
    """Let a frozen set begin; see :func:`growbin_jobs.operations.bulk.start`."""
    record(request, "bulk.started", target=job_id, reason=reason, details={"name": name, "pace": pace})
    return bulk.start(
        request.app.state.services.database, job_id, by=name_of(request), name=name, pace=pace, reason=reason,
        typed=typed,
    )  # fmt: skip


def undo(request: Request, job_id: str) -> BulkView:
    """Take a job back that has not begun."""
    record(request, "bulk.undone", target=job_id)
    return bulk.undo(request.app.state.services.database, job_id)


def stop(request: Request, job_id: str) -> BulkView:
    """Let a running job rest."""
    record(request, "bulk.stopped", target=job_id)
    return bulk.stop(request.app.state.services.database, job_id, by=name_of(request))


def resume(request: Request, job_id: str) -> BulkView:
    """Let a stopped job go on."""
    record(request, "bulk.resumed", target=job_id)
    return bulk.resume(request.app.state.services.database, job_id)
