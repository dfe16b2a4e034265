"""Checks of batches of paid calls, for ``growbin-jobs doctor``."""

from collections.abc import Iterator
from typing import Final

from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings

#: Seconds that what waits may wait beyond its time of gathering: the job runs every five minutes.
_LATE: Final = 900.0


def check_batches(settings: Settings) -> Iterator[Finding]:
    """Look for batches that could not be made or looked at, and for requests that nobody makes a batch of."""
    if not settings.models_online:
        return
    from growbin_jobs.limits.prices import load_prices
    from growbin_jobs.limits.usage import BATCH
    from growbin_jobs.models.batch_life import State
    from growbin_jobs.models.batch_waiting import BatchWaiting
    from growbin_jobs.models.made_batches import MadeBatches
    from growbin_jobs.wiring import central_database

    database = central_database(settings)
    going_on = [batch for batch in MadeBatches(database).all() if batch.state is not State.DONE]
    for batch in going_on:
        if batch.problem:
            detail = f"{batch.server_id or batch.id}: {batch.problem} See: growbin-jobs batches list"
            yield Finding("batches", "warning", detail)
    for waiting in BatchWaiting(database).by_model():
        if waiting.seconds > settings.batch_gather + _LATE and not going_on:
            yield Finding(
                "batches",
                "warning",
                f"{waiting.number} requests to {waiting.model} wait for a batch, the first of them for"
                f" {waiting.seconds:.0f} s: is the scheduler running, and a worker of the group ai, and is the budget"
                " spent? See: growbin-jobs schedule list",
            )
    uses_batches = going_on or settings.backfill_tier == BATCH
    if uses_batches and BATCH not in load_prices(settings.prices_file).tiers:
        detail = "the prices have no tier batch: what it costs is not known. Add it to GROWBIN_PRICES_FILE."
        yield Finding("batches", "warning", detail)
