"""``growbin-jobs dead …``: the messages that this node gave up."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import complain, out, print_json, say
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    import apsw

    from growbin_jobs.engine.delivery.records import DeadLetter

#: More than this many at once are asked about.
ASK_ABOVE = 20

#: What one call deals with at most.
MOST = 100_000

Ids = Annotated[list[int] | None, typer.Argument(help="Numbers as `dead list` shows them.", show_default=False)]
Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
Actor = Annotated[str | None, typer.Option(help="Only of this actor.")]
Code = Annotated[str | None, typer.Option(help="Only with this reason, such as retries_exhausted.")]
Hours = Annotated[float | None, typer.Option(help="Only those that died in the last so many hours.", min=0)]
All = Annotated[bool, typer.Option("--all", help="All of them, or all that the other options leave.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def list_(
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    dealt_with: Annotated[bool, typer.Option(help="Also those that were retried or discarded.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=MOST)] = 50,
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
    from growbin_jobs.cli.journal_file import existing, reading
    from growbin_jobs.engine.journal.tables import dead_letters

    if cluster:
        view.list_cluster(limit, in_json=json)
        return
    with reading(existing(path)) as connection:
        found = dead_letters.find(
            connection, queue=queue, actor=actor, code=code, since=_since(hours), dealt_with=dealt_with, limit=limit
        )
    if json:
        for letter in found:
            print_json(view.as_json(letter))
    else:
        view.print_table(found)


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
    from growbin_jobs.cli.journal_file import existing, reading
    from growbin_jobs.engine.journal.tables import dead_letters

    with reading(existing(path)) as connection:
        letter = dead_letters.get(connection, number)
    if json:
        print_json(view.as_json(letter))
    else:
        view.print_letter(letter)


def retry(
    numbers: Ids = None,
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    all_: All = False,
    yes: Yes = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Send messages that were given up once more, with their retries counted anew.

    Name them by number, or choose them by the options. They keep their id, so what they did already is not done twice.
    When the broker is away they are sent later, by the keeper. A picture that was refused has been deleted: it
    ends as a dead letter again, with the reason picture_missing, and has to be handed in anew.

    \b
    Examples:
      growbin-jobs dead retry 17 18
      growbin-jobs dead retry --code retries_exhausted --hours 2
      growbin-jobs dead retry --all --yes
    """
    import time

    from growbin_jobs.cli.drain import opened, send_all
    from growbin_jobs.cli.journal_file import sound
    from growbin_jobs.engine.delivery.reruns import rerun
    from growbin_jobs.engine.journal.tables import dead_letters

    file = sound(path)
    chosen = _chosen(file, numbers, (queue, actor, code, hours), all_=all_)
    _ask("Retry", len(chosen), yes=yes)

    def again(connection: "apsw.Connection", letter: "DeadLetter") -> None:
        dead_letters.retry(connection, letter.id, body=rerun(letter.body), now=time.time())

    with opened(file) as (journal, config):
        done = _each(chosen, lambda letter: journal.write(lambda connection: again(connection, letter), durable=True))
        sent = send_all(journal, config) if done else {"sent": 0, "owed": 0}
    _report("retried", done, len(chosen) - done, json=json)
    if sent["owed"]:
        say(f"{sent['owed']} messages are not sent yet; the keeper goes on with them.", "yellow")


def discard(
    numbers: Ids = None,
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    all_: All = False,
    yes: Yes = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Say that messages stay given up: they are listed no more, and pruned in time.

    \b
    Examples:
      growbin-jobs dead discard 17
      growbin-jobs dead discard --code picture_too_small --yes
    """
    import time

    from growbin_jobs.cli.drain import opened
    from growbin_jobs.cli.journal_file import sound
    from growbin_jobs.engine.journal.tables import dead_letters

    file = sound(path)
    chosen = _chosen(file, numbers, (queue, actor, code, hours), all_=all_)
    _ask("Discard", len(chosen), yes=yes)

    def drop(connection: "apsw.Connection", letter: "DeadLetter") -> None:
        dead_letters.discard(connection, letter.id, now=time.time())

    with opened(file) as (journal, _):
        done = _each(chosen, lambda letter: journal.write(lambda connection: drop(connection, letter)))
    _report("discarded", done, len(chosen) - done, json=json)


# --- choosing


Filters = tuple[str | None, str | None, str | None, float | None]


def _chosen(file: Path, numbers: list[int] | None, filters: Filters, *, all_: bool) -> "list[DeadLetter]":
    from growbin_jobs.cli.journal_file import reading
    from growbin_jobs.engine.journal.tables import dead_letters
    from growbin_jobs.errors import ConfigurationError

    filtered = any(value is not None for value in filters)
    if bool(numbers) == (filtered or all_):
        raise ConfigurationError("Say which: their numbers, or --queue, --actor, --code, --hours, or --all.")
    queue, actor, code, hours = filters
    with reading(file) as connection:
        if numbers:
            return [dead_letters.get(connection, number) for number in dict.fromkeys(numbers)]
        since = _since(hours)
        return dead_letters.find(connection, queue=queue, actor=actor, code=code, since=since, limit=MOST)


def _ask(what: str, count: int, *, yes: bool) -> None:
    import sys

    from growbin_jobs.errors import ConfigurationError

    if count <= ASK_ABOVE or yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"These are {count} messages. Add --yes where nobody can be asked.")
    typer.confirm(f"{what} {count} messages?", abort=True, err=True)


def _each(chosen: "list[DeadLetter]", deal: "Callable[[DeadLetter], object]") -> int:
    """Deal with letters one by one; return with how many. One that somebody else dealt with is said."""
    from growbin_jobs.errors import NotFound

    done = 0
    for letter in chosen:
        try:
            deal(letter)
        except NotFound as error:
            complain(str(letter.id), str(error))
        else:
            done += 1
    return done


def _since(hours: float | None) -> float | None:
    import time

    return None if hours is None else time.time() - hours * 3600


def _report(what: str, done: int, not_done: int, *, json: bool) -> None:
    if json:
        print_json({what: done, "failed": not_done})
    else:
        out.print(f"{done} {what}.")
    if not_done:
        raise typer.Exit(1)
