"""``growbin-jobs doctor``: try everything that the settings name, and say how to mend what is wrong."""

from typing import Annotated

import typer

from growbin_jobs.cli.console import out, print_json

_SIGNS = {"ok": "[green]✔ ok[/]", "warning": "[yellow]! warning[/]", "failed": "[bold red]✘ failed[/]"}


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Try broker, database, object store, models and rules, and say what is wrong and how to mend it.

    Sends no message and pays for nothing: of a model server it only asks the list of models. Exit code 1 when
    something failed.

    \b
    Examples:
      growbin-jobs doctor
      growbin-jobs doctor --json | jq -r '.[] | select(.status == "failed") | .detail'
    """
    from rich.status import Status
    from rich.table import Table
    from rich.text import Text

    from growbin_jobs.checks import run_checks

    with Status("Looking…", console=out) if out.is_terminal and not json else _Quiet():
        findings = run_checks()
    if json:
        print_json([finding.as_dict() for finding in findings])
    else:
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            table.add_row(_SIGNS[finding.status], finding.what, Text(finding.detail))
        out.print(table)
    raise typer.Exit(int(any(finding.status == "failed" for finding in findings)))


class _Quiet:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...
