"""``growbin-jobs journal …``: look after this node's journal, or one that a node has left behind."""

import os
from pathlib import Path
from typing import Annotated

import typer

from growbin_jobs.cli.console import complain, out, print_json, say
from growbin_jobs.cli.target import EngineName

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
File = Annotated[
    Path | None, typer.Option("--path", help="The journal's file; default: that of this node.", show_default=False)
]


def status(json: Json = False, path: File = None, _engine: EngineName = None) -> None:
    """Show how the journal is: its tasks, what it still owes, its files, and who looks after it.

    \b
    Examples:
      growbin-jobs journal status
      growbin-jobs journal status --json | jq .unsynced
      growbin-jobs journal status --path /mnt/left-behind/storage-3/task_queue.db
    """
    from rich.table import Table
    from rich.text import Text

    from growbin_jobs.cli import journal_view as view
    from growbin_jobs.cli.journal_file import existing

    found = view.status(existing(path))
    if json:
        print_json(found)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for name, words in view.status_lines(found):
        table.add_row(name, words if isinstance(words, Text) else Text(words))
    out.print(table)


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
    from growbin_jobs.cli.journal_file import existing

    for task in view.changes(existing(path), lines, follow=follow):
        print_json(view.task_json(task)) if json else out.print(view.task_line(task), soft_wrap=True)


def verify(json: Json = False, path: File = None, _engine: EngineName = None) -> None:
    """Read the whole file and say what is damaged. Exit code 1 when anything is.

    A worker that meets damage puts the file aside by itself and goes on with a new one; nothing is lost by that.

    \b
    Examples:
      growbin-jobs journal verify
      growbin-jobs journal verify --json --path /mnt/left-behind/storage-3/task_queue.db
    """
    from growbin_jobs.cli.journal_file import Damaged, existing, reading
    from growbin_jobs.engine.journal.file import opening as files
    from growbin_jobs.engine.journal.file import quarantine

    file = existing(path)
    try:
        with reading(file) as connection:
            problems = files.verify(connection)
    except Damaged as damage:
        problems = [damage.found]
    aside = list(quarantine.quarantined(file))
    if json:
        print_json({"path": str(file), "problems": problems, "quarantined": aside})
    else:
        out.print(f"{file}: {'[bold red]damaged[/]' if problems else '[green]ok[/]'}")
        for problem in problems:
            complain("found", problem)
        if aside:
            say(f"Put aside before: {', '.join(aside)}", "yellow")
    raise typer.Exit(int(bool(problems)))


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
    from growbin_jobs.cli.journal_file import in_words, sound
    from growbin_jobs.engine.journal.file import opening as files

    file = sound(path)
    with in_words(file):
        pages, copied = files.checkpoint(file, truncate=truncate)
    if json:
        print_json({"pages": pages, "copied": copied})
    else:
        out.print(f"{copied} of {pages} pages of the log are in the database file.")


def sync(json: Json = False, path: File = None, _engine: EngineName = None) -> None:
    """Copy what the central database lacks, now. The keeper does so every second.

    Exit code 75 when something could not be copied.

    \b
    Examples:
      growbin-jobs journal sync
      growbin-jobs journal sync --json | jq .left
    """
    from growbin_jobs.cli.drain import copy_all, opened
    from growbin_jobs.cli.journal_file import sound

    with opened(sound(path)) as (journal, config):
        report = copy_all(journal, config)
    if json:
        print_json(report)
    else:
        out.print(f"{report['copied']} rows copied, {report['refused']} refused, {report['left']} left.")
    raise typer.Exit(os.EX_TEMPFAIL if report["left"] else 0)


def drain(
    path: Annotated[Path, typer.Option("--path", help="The journal's file, for instance on a volume that was kept.")],
    node: Annotated[str | None, typer.Option(help="Whose it was; default: the name of its folder.")] = None,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Empty the journal of a node that is gone: copy its rows to the central database, send what it owed.

    Refuses while workers or a keeper use it. Nothing is deleted; running it twice does nothing twice. A damaged file is
    put aside, and what can be read of its messages is sent. Exit code 75 when something is left.

    \b
    Examples:
      growbin-jobs journal drain --path /var/lib/growbin/storage-3/task_queue.db
      growbin-jobs journal drain --json --path /mnt/storage-3/task_queue.db --node storage-3 | jq .sent
    """
    from contextlib import suppress

    from growbin_jobs.cli.drain import copy_all, opened, put_aside, refuse_if_in_use, send_all
    from growbin_jobs.cli.journal_file import Damaged, existing, sound

    file = existing(path)
    with suppress(Damaged):  # what can be read of its messages is sent
        sound(file)
    refuse_if_in_use(file)
    with put_aside(file) as damaged, opened(file, node=node or file.absolute().parent.name) as (journal, config):
        report = copy_all(journal, config) | send_all(journal, config)
    if json:
        print_json(report | {"quarantined": damaged})
    else:
        out.print(f"{report['copied']} rows copied, {report['refused']} refused, {report['left']} left.")
        out.print(f"{report['sent']} messages sent, {report['owed']} left.")
    raise typer.Exit(os.EX_TEMPFAIL if report["left"] or report["owed"] or damaged else 0)
