"""``growbin-jobs db forget``: what keepers and schedulers delete from the central database."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import out, print_json
from growbin_jobs.cli.journal import Json

if TYPE_CHECKING:
    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.central.forgetting import OldRows


def forget(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    seconds: Annotated[float, typer.Option(help="No batch begins after so many seconds.", min=0)] = 300.0,
    json: Json = False,
) -> None:
    """Delete old attempts, dead letters, reruns, figures, requests to models, batches, and settled due times now.

    Keepers and schedulers do it by themselves, once a day or hour. See also: growbin-jobs archive run.

    \b
    Examples:
      growbin-jobs db forget --dry-run
      growbin-jobs db forget --json --seconds 60
    """
    from rich.table import Table

    from growbin_jobs import settings
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.operations.old_rows import forget_old
    from growbin_jobs.wiring import central_database

    database = central_database(settings.current())
    done = forget_old(database, _old_rows(database), dry_run=dry_run, seconds=seconds)
    if json:
        print_json(as_json(done))
        return
    table = Table()
    for name in ("table", "rows that would go" if dry_run else "rows that went", "bytes, about"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for each in done.rows:
        table.add_row(each.table, f"{each.rows:,}", f"{each.size:,}")
    out.print(table)


def _old_rows(database: "Database") -> "list[OldRows]":
    from zoneinfo import ZoneInfo

    from growbin_jobs import settings
    from growbin_jobs.engine.keeper.minutes import ForgetOld
    from growbin_jobs.limits.usage_days import ENTRIES_KEPT, old_rows
    from growbin_jobs.models import batches_retention
    from growbin_jobs.scheduler.retention import Forget

    now, kept = datetime.now(UTC), settings.current()
    keepers = ForgetOld(
        database,
        tasks=timedelta(days=kept.keep_tasks_days),
        letters=timedelta(days=kept.keep_dead_letters_days),
        minutes=timedelta(days=kept.keep_minutes_days),
    )
    today = now.astimezone(ZoneInfo(kept.timezone)).date()
    usage = old_rows(today - timedelta(days=kept.usage_days), today - timedelta(days=ENTRIES_KEPT))
    ledger = Forget(database, timedelta(days=kept.keep_ledger_days))
    return [*keepers.old_rows(now), *usage, *batches_retention.old_rows(now.timestamp()), *ledger.old_rows(now)]
