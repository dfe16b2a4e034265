"""``growbin-jobs dead …``: the messages that this node gave up, or all nodes."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import print_json, say
from growbin_jobs.cli.dead_choice import Actor, Code, Hours, Queue, numbered, selection
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.person import language
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.operations.dead_letters import DeadMessage


def list_(
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    dealt_with: Annotated[bool, typer.Option(help="Also those that were retried or discarded.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=100_000)] = 50,
    cluster: Annotated[bool, typer.Option("--cluster", help="Those of all nodes, by the central database.")] = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """List messages that were given up, the latest first.

    \b
    Examples:
      growbin-jobs dead list
      growbin-jobs dead list --actor analyze_image --hours 24
      growbin-jobs dead list --cluster --code retries_exhausted --hours 2
      growbin-jobs dead list --cluster --limit 100000 --json | jq -r .code | sort | uniq -c
    """
    from growbin_jobs.cli import dead_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.engine.central.dead_letters import DeadLetters
    from growbin_jobs.operations import dead_letters
    from growbin_jobs.operations.json_ready import as_json

    selected = selection(queue, actor, code, hours)
    options: Any = {"language": language(of_terminal=not json), "dealt_with": dealt_with, "limit": limit + 1}
    found = (
        dead_letters.of_all_nodes(DeadLetters(target.central()), selected, **options)
        if cluster
        else dead_letters.find(journal_file(path), selected, **options)
    )
    shown = found[:limit]
    if not json:
        view.print_list(shown, cluster=cluster)
    for letter in shown if json else ():
        print_json(as_json(letter))
    if len(found) > limit:  # also beside JSON: who counts lines should know
        say(spoken("These are the newest {number}; there are more: --limit", number=limit), "yellow")


def show(
    number: Annotated[str, typer.Argument(help="As `dead list` shows it; with --cluster an id.")],
    cluster: Annotated[bool, typer.Option("--cluster", help="Of any node, by the central database.")] = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Show one message that was given up: why, where in the code, and what it asked for.

    \b
    Examples:
      growbin-jobs dead show 17
      growbin-jobs dead show 17 --json | jq -r .traceback
      growbin-jobs dead show --cluster 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11
    """
    from growbin_jobs.cli import dead_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.engine.central.dead_letters import DeadLetters
    from growbin_jobs.operations import dead_letters
    from growbin_jobs.operations.json_ready import as_json

    chosen = language(of_terminal=not json)
    if cluster:
        letter: DeadMessage = dead_letters.get_of_any_node(DeadLetters(target.central()), number, language=chosen)
    else:
        [wanted] = numbered([number])
        letter = dead_letters.get(journal_file(path), wanted, language=chosen)
    print_json(as_json(letter)) if json else view.print_letter(letter)
