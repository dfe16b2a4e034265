"""``growbin-jobs tasks …``: what became of a message."""

from typing import Annotated

import typer

from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.target import EngineName


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
    print_json(as_json(found)) if json else view.print_record(found)
