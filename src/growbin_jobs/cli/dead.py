"""``growbin-jobs dead …``: the messages that this node gave up."""

from typing import Annotated

import typer

from growbin_jobs.cli.console import print_json
from growbin_jobs.cli.dead_choice import Actor, Code, Hours, Queue, selection
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.person import language
from growbin_jobs.cli.target import EngineName


def list_(
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    dealt_with: Annotated[bool, typer.Option(help="Also those that were retried or discarded.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 50,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The dead tasks of all nodes, from the central database.")
    ] = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """List messages that were given up, the latest first.

    \b
    Examples:
      growbin-jobs dead list
      growbin-jobs dead list --actor analyze_image --hours 24
      growbin-jobs dead list --cluster
      growbin-jobs dead list --json | jq -r .code | sort | uniq -c
    """
    from growbin_jobs.cli import dead_view as view
    from growbin_jobs.cli.wiring import central_tasks, journal_file
    from growbin_jobs.operations import dead_letters
    from growbin_jobs.operations.json_ready import as_json

    if cluster:
        tasks = dead_letters.of_all_nodes(central_tasks(), limit)
        if not json:
            view.print_dead_tasks(tasks)
        for task in tasks if json else ():
            print_json(as_json(task))
        return
    selected = selection(queue, actor, code, hours)
    chosen = language(of_terminal=not json)
    found = dead_letters.find(journal_file(path), selected, language=chosen, dealt_with=dealt_with, limit=limit)
    if not json:
        view.print_list(found)
    for letter in found if json else ():
        print_json(as_json(letter))


def show(
    number: Annotated[int, typer.Argument(help="As `dead list` shows it.")],
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Show one message that was given up: why, where in the code, and what it asked for.

    \b
    Examples:
      growbin-jobs dead show 17
      growbin-jobs dead show 17 --json | jq -r .traceback
    """
    from growbin_jobs.cli import dead_view as view
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.operations import dead_letters
    from growbin_jobs.operations.json_ready import as_json

    chosen = language(of_terminal=not json)
    letter = dead_letters.get(journal_file(path), number, language=chosen)
    print_json(as_json(letter)) if json else view.print_letter(letter)
