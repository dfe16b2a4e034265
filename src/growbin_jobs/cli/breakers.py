"""``growbin-jobs breakers …``: what is not asked for now, why, and what to do."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json, print_line
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.person import language

if TYPE_CHECKING:
    from growbin_jobs.limits.breakers import Breakers


def list_(json: Json = False) -> None:
    """List the breakers of the cluster: their state, why, what to do, and when the next request tries.

    While a breaker is open nothing is sent to what it guards, and the messages wait. Exit code 1 when one of them needs
    an operator.

    \b
    Examples:
      growbin-jobs breakers list
      growbin-jobs breakers list --json | jq -r 'select(.state == "operator") | .remedy'
    """
    from growbin_jobs.cli import breaker_view as view
    from growbin_jobs.cli import target
    from growbin_jobs.operations.breakers import list_breakers
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.model_servers import known_servers, said_by_breaker

    said = said_by_breaker(known_servers(target.central()))
    found = list_breakers(_store(), language=language(), said=said)
    if not json:
        view.print_breakers(found, language())
    for status in found if json else ():
        print_json(as_json(status))
    raise typer.Exit(int(any(status.state == "operator" for status in found)))


def reset(
    name: Annotated[
        str, typer.Argument(help="As `breakers list` shows it, or the part before @; `objects` is the object store.")
    ],
    json: Json = False,
) -> None:
    """Close a breaker, once the cause is mended; requests come back slowly within a minute and a half.

    Without it the work goes on by itself after the next probe. Only a breaker that has seen a failure can be closed;
    that of the object store is called `objects` and exists for S3 only.

    \b
    Examples:
      growbin-jobs breakers reset model:gpt-6-luna
      growbin-jobs breakers reset objects --json
    """
    from growbin_jobs.cli import target
    from growbin_jobs.operations.breakers import reset_breaker

    record(target.central(), "breaker.reset", target=name)
    reset_breaker(_store(), name)
    print_json({"reset": name}) if json else print_line(word("is closed", language(), name=name))


def _store() -> "Breakers":
    from growbin_jobs.cli import target
    from growbin_jobs.limits.breakers import Breakers

    return Breakers(target.central())
