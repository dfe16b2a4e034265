"""``growbin-jobs probe`` in the table of commands: the help of :mod:`growbin_jobs.cli.probe`, which answers itself."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from growbin_jobs.cli import probe as _probe


def probe(
    question: Annotated[Literal["started", "live", "ready"], typer.Argument(help="What to look at.")],
    folder: Annotated[
        Path | None, typer.Option(help="The node's folder; default: that of the settings GROWBIN_DATA_DIR and _NODE.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look whether this node's workers have started, live, or take messages, for probes that run a command.

    Exit code 0: well; 1: not, with what is wrong. It asks no broker, no database and no port: it reads what the workers
    say of themselves in the node's folder.

    \b
    Examples:
      growbin-jobs probe live
      growbin-jobs probe ready --json
      growbin-jobs probe live --folder /var/lib/growbin/node-1
    """
    chosen = [] if folder is None else ["--folder", str(folder)]
    raise typer.Exit(_probe.main([question, *(["--json"] if as_json else []), *chosen]))
