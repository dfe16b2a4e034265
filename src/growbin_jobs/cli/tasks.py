"""``growbin-jobs tasks …``: what became of a message."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import out, print_json
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from rich.text import Text


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
    from growbin_jobs.cli.task_history import known_of
    from growbin_jobs.errors import NotFound

    found = known_of(task_id, target.config(), path)
    if not found["history"]:
        raise NotFound(_nowhere(task_id, found))
    if json:
        print_json(found)
        return
    _print(task_id, found)


def _nowhere(task_id: str, found: dict[str, Any]) -> str:
    """Say that there is no such task, as far as that could be seen."""
    problems = [found[name] for name in ("journal_error", "central_error") if found[name]]
    if problems:
        return f"There is no task {task_id!r} as far as could be seen. {' '.join(problems)}"
    return (
        f"There is no task {task_id!r} in this node's journal nor in the central database; "
        "`growbin-jobs settings` shows which these are."
    )


def _print(task_id: str, found: dict[str, Any]) -> None:
    from rich.console import Group, RenderableType
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    known = found["latest"] or {}
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    for name in ("status", "task_name", "queue_name", "node", "worker", "retry_count", "deferrals", "crashes"):
        if known.get(name) not in (None, 0):
            facts.add_row(name.replace("_", " "), _coloured(name, known[name]))
    for name in ("error", "result"):
        if known.get(name) is not None:
            facts.add_row(name, Text(str(known[name]), "red" if name == "error" else ""))
    history = Table.grid(padding=(0, 2))
    for event in found["history"]:
        history.add_row(Text(event["at"][:23].replace("T", " "), "dim"), Text(event["event"]), Text(event["detail"]))
    parts: list[RenderableType] = [facts, Text(), history]
    for name in ("journal_error", "central_error"):
        if found[name]:
            parts += [Text(), Text(found[name], "yellow")]
    out.print(Panel(Group(*parts), title=Text(task_id), title_align="left"))


def _coloured(name: str, value: Any) -> "Text":
    from rich.text import Text

    from growbin_jobs.cli.journal_view import STYLES

    return Text(str(value), STYLES.get(str(value), "") if name == "status" else "")
