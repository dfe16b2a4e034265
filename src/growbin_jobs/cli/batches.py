"""``growbin-jobs batches …``: paid calls in batches, and ending one before its time."""

from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import print_json, print_line
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.paid_words import word
from growbin_jobs.cli.person import language

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database


def list_(
    limit: Annotated[int, typer.Option(help="Only so many, the newest.", min=1, max=1000)] = 20, json: Json = False
) -> None:
    """List batches of paid calls: how far they are, what they ask, and what kept or ended them.

    Behind the batches is what waits for the next one.

    \b
    Examples:
      growbin-jobs batches list
      growbin-jobs batches list --json | jq -r 'select(.ended_at == null) | .server_id'
    """
    from growbin_jobs.cli import batches_view as view
    from growbin_jobs.models.batch_waiting import BatchWaiting
    from growbin_jobs.models.made_batches import MadeBatches
    from growbin_jobs.operations.json_ready import as_json

    found, waiting = MadeBatches(_database()).all(limit=limit), BatchWaiting(_database()).by_model()
    if not json:
        view.print_batches(found, waiting, language())
    for batch in found if json else ():
        print_json(as_json(batch))


def cancel(
    batch: Annotated[str, typer.Argument(help="Our id of the batch, or the server's, as `batches list` shows them.")],
    json: Json = False,
) -> None:
    """Let a batch end soon: what it has answered is kept and paid for, the rest is asked in the standard tier.

    \b
    Examples:
      growbin-jobs batches cancel batch_68f1c2
      growbin-jobs batches cancel 4b7d2f0e9d3e5a52 --json
    """
    from growbin_jobs.cli import audited
    from growbin_jobs.cli.person import name_of_person
    from growbin_jobs.models.made_batches import MadeBatches
    from growbin_jobs.operations.json_ready import as_json

    batches = MadeBatches(_database())
    found = batches.get(batch)
    audited.record(_database(), "batch.cancelled", target=found.id)
    cancelled = batches.cancel(found.id, by=name_of_person())
    print_json(as_json(cancelled)) if json else print_line(word("batch ends", language(), id=cancelled.id))


def _database() -> "Database":
    from growbin_jobs.cli import target

    return target.central()
