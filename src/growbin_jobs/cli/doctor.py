"""``growbin-jobs doctor``: try everything that the settings name, and say how to mend what is wrong."""

from contextlib import nullcontext
from typing import Annotated

import typer

from growbin_jobs.cli.console import out, print_json
from growbin_jobs.cli.target import EngineName

_SIGNS = {"ok": ("✔ ok", "green"), "warning": ("! warning", "yellow"), "failed": ("✘ failed", "bold red")}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    _engine: EngineName = None,
) -> None:
    """Try broker, database, object store, models and rules, and say what is wrong and how to mend it.

    Sends no message and pays for nothing: of a model server it only asks the list of models. Of an engine of your own
    it tries data folder, journal, processes, broker, database, workers and schedule. Exit code 1 when something
    failed.

    \b
    Examples:
      growbin-jobs doctor
      growbin-jobs doctor --engine orders.jobs
      growbin-jobs doctor --json | jq -r '.[] | select(.status == "failed") | .detail'
    """
    from rich.status import Status
    from rich.table import Table
    from rich.text import Text

    from growbin_jobs.checks import run_checks, run_engine_checks
    from growbin_jobs.cli import target

    another = target.another()

    with Status("Looking…", console=out) if out.is_terminal and not json else nullcontext():
        findings = run_engine_checks(another, target.config(), _engine or "") if another else run_checks()
    if json:
        print_json([finding.as_dict() for finding in findings])
    else:
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in findings:
            table.add_row(Text(*_SIGNS[finding.status]), finding.what, Text(finding.detail))
        out.print(table)
    raise typer.Exit(int(any(finding.status == "failed" for finding in findings)))
