"""``growbin-jobs tasks …``: which tasks there are, and what became of one."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.operations.reruns import Links


def list_(
    search: Annotated[
        str,
        typer.Argument(
            metavar="[SEARCH]", help="As in the monitor, such as 'state:dead actor:pay*'. Default: all tasks."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 20,
    sort: Annotated[str, typer.Option(help="A field; - before it puts the greatest first.")] = "-created",
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """List the tasks of all nodes that fit a search, the newest first, as the central database knows them.

    A search has words such as state:failed, actor:pay*, queue:mail, node:n1, error:Timeout, created:>2026-12-01,
    kwargs.user:u-42, retries:>2, a text, NOT, OR and brackets. The states are pending, running, failed (it will be
    retried), completed, dead and lost.

    \b
    Examples:
      growbin-jobs tasks list
      growbin-jobs tasks list 'state:dead OR state:lost'
      growbin-jobs tasks list 'actor:analyze_image error:Timeout' --limit 100
      growbin-jobs tasks list state:dead --limit 1000 --json | jq -r .task_id
    """
    from growbin_jobs.cli import target
    from growbin_jobs.cli import task_view as view
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.task_list import found_tasks

    found = found_tasks(target.central(), search, target.config(), limit=limit, sort=sort)
    if not json:
        view.print_tasks(found)
    for task in found.tasks if json else ():
        print_json(as_json(task))


def show(
    task_id: Annotated[str, typer.Argument(help="The message's id.")],
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Show everything that is known of a task: in this node's journal and in the central database.

    The journal has each of its runs, the latest 100 of those that did not complete; the database has the last one.

    \b
    Examples:
      growbin-jobs tasks show 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11
      growbin-jobs tasks show --json 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11 | jq '.history[].event'
    """
    from growbin_jobs.cli import target
    from growbin_jobs.cli import task_view as view
    from growbin_jobs.cli.wiring import central_tasks, journal_file
    from growbin_jobs.errors import NotFound
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.task_history import task_record

    config = target.config()
    found = task_record(
        task_id,
        file=journal_file(path) if path or config.journal_path.is_file() else None,
        node=path.absolute().parent.name if path else config.node,
        tasks=central_tasks,
        file_required=path is not None,
    )
    if not found.history:
        raise NotFound(view.nowhere(found))
    links = _links(task_id)
    if json:
        print_json(as_json(found) | {"links": as_json(links)})
    else:
        view.print_record(found)
        view.print_links(links)


def _links(task_id: str) -> "Links | None":
    """Return what a task was made from and what was made from it; None where the central database is away."""
    from growbin_jobs.cli import target
    from growbin_jobs.errors import GrowbinError
    from growbin_jobs.operations.reruns import links_of

    try:
        return links_of(target.central(upgraded=False), task_id)
    except GrowbinError:  # what is known elsewhere is shown all the same
        return None


def tree(
    id_: Annotated[str, typer.Argument(metavar="ID", help="An analysis, or a message.")],
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Show the tasks of an analysis, or a task and those that follow from it, as the central database knows them.

    \b
    Examples:
      growbin-jobs tasks tree 0b6f7c1e5d0f4c7c9a3e8f2b1a6d4c55
      growbin-jobs tasks tree --json 0b6f7c1e5d0f4c7c9a3e8f2b1a6d4c55 | jq -r '.. | .task_id? // empty'
    """
    from growbin_jobs.cli import target
    from growbin_jobs.cli import task_view as view
    from growbin_jobs.cli.wiring import central_tasks
    from growbin_jobs.errors import NotFound
    from growbin_jobs.models.analysis import Analyses
    from growbin_jobs.names import UPLOAD_IMAGE
    from growbin_jobs.operations import task_tree
    from growbin_jobs.operations.json_ready import as_json

    tasks, actors = central_tasks(), target.actors()
    found = task_tree.of_task(id_, tasks, actors=actors)
    trees = [found] if found else []
    analysis = Analyses(tasks.database).get(id_) if target.is_growbin() and not found else None
    if analysis is not None:
        trees = task_tree.of_analysis(id_, analysis.created_at, tasks, first=UPLOAD_IMAGE.actor, actors=actors)
    if not trees:
        known = "The analysis is known, and none of its tasks yet" if analysis else "It is no analysis and no task"
        raise NotFound(f"There is no task for {id_!r} in the central database. {known}.")
    print_json(as_json(trees)) if json else view.print_trees(trees)
