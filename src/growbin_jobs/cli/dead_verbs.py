"""``growbin-jobs dead retry`` and ``discard``: deciding about messages that were given up, of this node or of all."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import complain, print_json, print_line, say
from growbin_jobs.cli.dead_choice import Actor, Code, Filters, Hours, Queue, letters_chosen, numbered, selection
from growbin_jobs.cli.journal import File, Json
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.operations.dead_letters import DeadMessage, DealtWith

#: More than this many at once are asked about.
ASK_ABOVE = 20

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NUMBERS]...", help="As `dead list` shows them; with --cluster ids.", show_default=False),
]
Cluster = Annotated[bool, typer.Option("--cluster", help="Those of all nodes, by the central database.")]
All = Annotated[bool, typer.Option("--all", help="All of them, or all that the other options leave.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def retry(
    numbers: Ids = None,
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    all_: All = False,
    cluster: Cluster = False,
    yes: Yes = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Send messages that were given up once more, with their retries counted anew.

    Name them by number, or choose them by the options. They keep their id, so what they did already is not done twice.
    When the broker is away they are sent later, by the keeper. Photos that were refused are not among them: their
    analysis has failed for a reason that only a new photo mends.
    With --cluster those of all nodes are chosen, by their tasks' ids too, and their keepers send them.

    \b
    Examples:
      growbin-jobs dead retry 17 18
      growbin-jobs dead retry --code retries_exhausted --hours 2
      growbin-jobs dead retry --all --yes
      growbin-jobs dead retry --cluster 6f1c2f0e-9d3e-5a52-8f0e-2b7e0c4c1a11
    """
    if cluster:
        _of_all_nodes("retry", numbers, (queue, actor, code, hours), all_=all_, yes=yes, json=json)
        return
    from contextlib import closing

    from growbin_jobs.cli.wiring import forwarding, opening, readable_journal_file
    from growbin_jobs.operations import dead_letters, journal_transfer

    wanted = numbered(numbers or [])
    file = readable_journal_file(path)
    chosen = letters_chosen(file, wanted, (queue, actor, code, hours), all_=all_)
    _ask("Retry", len(chosen), yes=yes)
    with closing(opening(file)()) as journal:
        _note("retried", chosen, journal.node)
        done = dead_letters.retry(journal, [letter.id for letter in chosen])
        sent = journal_transfer.Sent(0, 0)
        if done.done:
            with forwarding() as forward:
                sent = journal_transfer.send(journal, forward)
    if sent.problem:
        say(sent.problem, "red")
    if sent.owed:
        say(spoken("{number} messages are not sent yet; the keeper goes on with them.", number=sent.owed), "yellow")
    _report("retried", done, json=json)


def discard(
    numbers: Ids = None,
    queue: Queue = None,
    actor: Actor = None,
    code: Code = None,
    hours: Hours = None,
    all_: All = False,
    cluster: Cluster = False,
    yes: Yes = False,
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
) -> None:
    """Say that messages stay given up: they are listed no more, and pruned in time.

    With --cluster those of all nodes are chosen; that has its effect after 30 seconds, as in the monitor.

    \b
    Examples:
      growbin-jobs dead discard 17
      growbin-jobs dead discard --code picture_too_small --yes
      growbin-jobs dead discard --cluster --actor analyze_image --yes
    """
    if cluster:
        _of_all_nodes("discard", numbers, (queue, actor, code, hours), all_=all_, yes=yes, json=json)
        return
    from contextlib import closing

    from growbin_jobs.cli.wiring import opening, readable_journal_file
    from growbin_jobs.operations import dead_letters

    wanted = numbered(numbers or [])
    file = readable_journal_file(path)
    chosen = letters_chosen(file, wanted, (queue, actor, code, hours), all_=all_)
    _ask("Discard", len(chosen), yes=yes)
    with closing(opening(file)()) as journal:
        _note("discarded", chosen, journal.node)
        done = dead_letters.discard(journal, [letter.id for letter in chosen])
    _report("discarded", done, json=json)


def _of_all_nodes(verb: str, ids: list[str] | None, filters: Filters, *, all_: bool, yes: bool, json: bool) -> None:
    """Decide about letters of all nodes; say which somebody else has decided about."""
    from growbin_jobs.cli import acts, target
    from growbin_jobs.cli.person import name_of_person
    from growbin_jobs.errors import ConfigurationError, Conflict, NotFound
    from growbin_jobs.operations import letter_verbs

    queue, actor, code, hours = filters
    if bool(ids) == (bool(selection(*filters)) or all_):
        raise ConfigurationError("Say which: their ids, or --queue, --actor, --code, --hours, or --all.")
    database, done, failed = target.central(), 0, 0
    chosen = acts.letter_ids(database, ids, queue=queue, actor=actor, code=code, hours=hours)
    _ask(verb.capitalize(), len(chosen), yes=yes)
    act = letter_verbs.retry if verb == "retry" else letter_verbs.discard
    past = "retried" if verb == "retry" else "discarded"
    for letter_id in chosen:
        record(database, f"dead_letter.{past}", target=letter_id)
        try:
            act(database, letter_id, by=name_of_person())
            done += 1
        except (Conflict, NotFound) as error:
            complain(letter_id, str(error))
            failed += 1
    print_json({past: done, "failed": failed}) if json else print_line(_done(done, past))
    if failed:
        raise typer.Exit(1)


def _note(past: str, letters: "list[DeadMessage]", node: str) -> None:
    """Write into the audit what is about to happen to letters of a node; say so where that is not possible now.

    The journal is on this machine, and is of use while the central database is away: there the act goes on.
    """
    from growbin_jobs.cli import target
    from growbin_jobs.engine.central.dead_letter_rows import letter_id
    from growbin_jobs.errors import ConfigurationError, Deferred

    try:
        database = target.central()
        for letter in letters:
            record(database, f"dead_letter.{past}", target=letter_id(node, letter.id, letter.task_id))
    except (Deferred, ConfigurationError) as error:
        say(spoken("The audit does not tell of this: {error}", error=error), "yellow")


def _ask(what: str, count: int, *, yes: bool) -> None:
    import sys

    from growbin_jobs.errors import ConfigurationError

    if count <= ASK_ABOVE or yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"These are {count} messages. Add --yes where nobody can be asked.")
    typer.confirm(f"{what} {count} messages?", abort=True, err=True)


def _report(what: str, dealt: "DealtWith", *, json: bool) -> None:
    """Print how many were dealt with; say which were not, such as those that somebody else dealt with meanwhile."""
    for left in dealt.not_done:
        complain(str(left.id), left.problem)
    if json:
        print_json({what: dealt.done, "failed": len(dealt.not_done)})
    else:
        print_line(_done(dealt.done, what))
    if dealt.not_done:
        raise typer.Exit(1)


def _done(number: int, what: str) -> str:
    return (
        spoken("{number} retried.", number=number)
        if what == "retried"
        else spoken("{number} discarded.", number=number)
    )
