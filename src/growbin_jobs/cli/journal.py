"""``growbin-jobs journal …``: look after this node's journal, or one that a node has left behind."""

import os
from pathlib import Path
from typing import Annotated

import typer

from growbin_jobs.cli.console import complain, print_json, print_line, say
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
File = Annotated[
    Path | None, typer.Option("--path", help="The journal's file; default: that of this node.", show_default=False)
]


def status(json: Json = False, path: File = None, _engine: EngineName = None) -> None:
    """Show how the journal is: its tasks, what it still has to send and copy, its files, and who looks after it.

    \b
    Examples:
      growbin-jobs journal status
      growbin-jobs journal status --json | jq .unsynced
      growbin-jobs journal status --path /mnt/left-behind/storage-3/task_queue.db
    """
    from growbin_jobs.cli import journal_view as view
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.operations import journal_status
    from growbin_jobs.operations.json_ready import as_json

    found = journal_status.status(journal_file(path))
    print_json(as_json(found)) if json else view.print_status(found)


def tail(
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="Begin with so many of the latest.", min=0, max=100_000)
    ] = 20,
    follow: Annotated[bool, typer.Option(help="Go on with what changes, until Ctrl-C.")] = True,
) -> None:
    """Show the latest tasks of this node, and every change from now on.

    \b
    Examples:
      growbin-jobs journal tail
      growbin-jobs journal tail --no-follow -n 100
      growbin-jobs journal tail --json | jq -r 'select(.status == "failed") | .error'
    """
    from growbin_jobs.cli import journal_view as view
    from growbin_jobs.cli.times import zone_name
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.operations import journal_tail
    from growbin_jobs.operations.json_ready import as_json

    file = journal_file(path)
    if not json:
        say(spoken("Times in {zone}.", zone=zone_name()), "dim")
    for task in journal_tail.tail(file, lines, follow=follow):
        print_json(as_json(task)) if json else view.print_task_line(task)


def verify(json: Json = False, path: File = None, _engine: EngineName = None) -> None:
    """Read the whole file and say what is damaged. Exit code 1 when anything is.

    A worker that meets damage puts the file aside by itself and goes on with a new one; nothing is lost by that.

    \b
    Examples:
      growbin-jobs journal verify
      growbin-jobs journal verify --json --path /mnt/left-behind/storage-3/task_queue.db
    """
    from rich.text import Text

    from growbin_jobs.cli.console import out
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.operations import journal_files
    from growbin_jobs.operations.json_ready import as_json

    found = journal_files.verify(journal_file(path))
    if json:
        print_json(as_json(found))
    else:
        state = ("damaged", "bold red") if found.problems else ("ok", "green")
        out.print(Text.assemble(f"{found.path}: ", state), soft_wrap=True)
        for problem in found.problems:
            complain("found", problem)
        if found.quarantined:
            say(spoken("Put aside before: {files}", files=", ".join(found.quarantined)), "yellow")
    raise typer.Exit(int(bool(found.problems)))


def checkpoint(
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Also empty the log, as far as nobody reads the journal now.")
    ] = False,
) -> None:
    """Copy the write-ahead log into the database file. The keeper does so every hour.

    \b
    Examples:
      growbin-jobs journal checkpoint
      growbin-jobs journal checkpoint --truncate
    """
    from growbin_jobs.cli.wiring import journal_file
    from growbin_jobs.operations import journal_files
    from growbin_jobs.operations.json_ready import as_json

    done = journal_files.checkpoint(journal_file(path), truncate=truncate)
    if json:
        print_json(as_json(done))
    else:
        pages = {"copied": done.copied, "pages": done.pages}
        print_line(spoken("{copied} of {pages} pages of the log are in the database file.", **pages))


def sync(
    json: Json = False,
    path: File = None,
    _engine: EngineName = None,
    again_since: Annotated[
        str | None,
        typer.Option(help="The database was restored: copy again what it got since then, such as 2026-12-01T09:00."),
    ] = None,
) -> None:
    """Copy what the central database lacks, now. The keeper does so every second.

    A database that was restored from a backup lacks what it got since: name the time when the backup began, or a few
    minutes earlier. Do so for the journal of each node. Exit code 75 when something could not be copied.

    \b
    Examples:
      growbin-jobs journal sync
      growbin-jobs journal sync --again-since 2026-12-01T09:00
      growbin-jobs journal sync --json | jq .left
    """
    from contextlib import closing

    from growbin_jobs.cli import target
    from growbin_jobs.cli.days import moment_of
    from growbin_jobs.cli.wiring import central_tasks, opening, readable_journal_file
    from growbin_jobs.operations import journal_transfer

    since = moment_of(again_since, target.config().timezone)
    with closing(opening(readable_journal_file(path))()) as journal:
        if since is not None:
            journal_transfer.forget_copied(journal, since)
        done = journal_transfer.copy(journal, central_tasks(), batch=target.config().sync_batch)
    if done.problem:
        say(done.problem, "red")
    if json:
        print_json(journal_transfer.report(done))
    else:
        rows = {"copied": done.copied, "refused": done.refused, "left": done.left}
        print_line(spoken("Rows: {copied} copied, {refused} refused, {left} left.", **rows))
    raise typer.Exit(os.EX_TEMPFAIL if done.left else 0)


def drain(
    path: Annotated[Path, typer.Option("--path", help="The journal's file, for instance on a volume that was kept.")],
    node: Annotated[str | None, typer.Option(help="Whose it was; default: the name of its folder.")] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Empty the journal of a node that is gone: copy its rows to the central database, send the messages of its outbox.

    Refuses while workers or a keeper use it. Nothing is deleted; running it twice does nothing twice. A damaged file is
    put aside, and what can be read of its messages is sent. Exit code 75 when something is left.

    \b
    Examples:
      growbin-jobs journal drain --path /var/lib/growbin/storage-3/task_queue.db
      growbin-jobs journal drain --json --path /mnt/storage-3/task_queue.db --node storage-3 | jq .sent
    """
    from growbin_jobs.cli import target
    from growbin_jobs.cli.wiring import central_tasks, forwarding, journal_file, opening
    from growbin_jobs.operations import journal_transfer

    file = journal_file(path)
    with forwarding() as forward:
        done = journal_transfer.drain(
            file,
            open_journal=opening(file, node=node or file.absolute().parent.name),
            tasks=central_tasks,
            forward=forward,
            batch=target.config().sync_batch,
        )
    for name in done.quarantined:
        aside = {"file": file, "name": name}
        say(
            spoken("{file} was damaged and is now {name}. Only messages that could be read were taken over.", **aside),
            "red",
        )
    for problem in done.problems:
        say(problem, "red")
    if json:
        print_json(journal_transfer.report(done))
    else:
        rows = {"copied": done.copied, "refused": done.refused, "left": done.left}
        print_line(spoken("Rows: {copied} copied, {refused} refused, {left} left.", **rows))
        print_line(spoken("Messages: {sent} sent, {left} left.", sent=done.sent, left=done.owed))
    raise typer.Exit(0 if done.complete else os.EX_TEMPFAIL)
