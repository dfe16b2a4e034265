"""``growbin-jobs archive …``: rows that left the database, and the jobs that move them."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from growbin_jobs.cli.console import complain, print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.spoken import spoken

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from growbin_jobs.platform.retention.cleanup import Removed


class JobName(StrEnum):
    """Retention jobs."""

    OLD_LOGS = "old_logs"
    OLD_SESSIONS = "old_sessions"
    COMPRESS_STATISTICS = "compress_statistics"


ArchiveId = Annotated[
    str, typer.Argument(metavar="ID", help="The archive's id, or its beginning, as archive list shows it.")
]


def list_(
    source: Annotated[str | None, typer.Option(help="Of this table only, such as sessions.")] = None,
    json: Json = False,
) -> None:
    """Show the archives, and when each was last proven by a restore.

    \b
    Examples:
      growbin-jobs archive list
      growbin-jobs archive list --source sessions --json | jq '[.[].row_count] | add'
    """
    from rich.text import Text

    from growbin_jobs.cli.rows import print_rows
    from growbin_jobs.cli.times import local, zone_name
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    rows = bootstrap.archives().all(source)
    if json:
        print_json(as_json(rows))
        return
    if not rows:
        say(spoken("There is no archive."))
        return
    cells = []
    for row in rows:
        proven = Text(local(row["proven_at"])[:10] if row["proven_at"] else spoken("never"))
        proven.stylize("bold red" if row["proven"] == 0 else "")
        days = (local(row["first_at"])[:10], local(row["last_at"])[:10])
        numbers = (str(row["row_count"]), str(row["size"]))
        cells.append([row["id"][:12], row["source"], *days, *numbers, row["state"], proven])
    columns: dict[str, JustifyMethod] = dict.fromkeys(
        ("id", "table", "from", "to", "rows", "bytes", "state", "proven"), "left"
    )
    print_rows(
        spoken("days in {zone}", zone=zone_name()), columns | {"rows": "right", "bytes": "right"}, cells, folds="table"
    )


def restore(
    archive_id: ArchiveId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read it, and count what would come back.")] = False,
    json: Json = False,
) -> None:
    """Put the rows of an archive back into their table. Rows that are there stay; the next cleanup moves them again.

    \b
    Examples:
      growbin-jobs archive restore 5f0c9d3e1b7a
      growbin-jobs archive restore --dry-run 5f0c9d3e1b7a42c8a6e4d2f10b9c8e7d
    """
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    restored = bootstrap.archiving().restore(archive_id, dry_run=dry_run)
    if json:
        print_json(as_json(restored))
        return
    values = {"rows": restored.rows, "table": restored.source, "bytes": restored.size}
    if dry_run:
        say(spoken("{rows} rows of {table} ({bytes} bytes) would come back.", **values))
    else:
        say(spoken("{rows} rows of {table} ({bytes} bytes) are back.", **values))


def drill(
    archive_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Default: one at random, least proven.")
    ] = None,
    json: Json = False,
) -> None:
    """Restore an archive into a scratch table and compare every row; notes the result. The exit code is 1 if it fails.

    \b
    Examples:
      growbin-jobs archive drill
      growbin-jobs archive drill --json 5f0c9d3e1b7a42c8a6e4d2f10b9c8e7d
    """
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    drilled = bootstrap.archiving().drill(archive_id)
    if json:
        print_json(as_json(drilled))
    elif drilled is None:
        say(spoken("There is no archive to try."))
    elif drilled.ok:
        values = {"id": drilled.archive, "rows": drilled.rows, "table": drilled.source}
        say(spoken("{id}: all {rows} rows of {table} came back.", **values), "bold green")
    else:
        complain(drilled.archive, f"{drilled.detail}.")
    if drilled is not None and not drilled.ok:
        raise typer.Exit(1)


def run(
    job: Annotated[JobName, typer.Argument(help="The job.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    json: Json = False,
) -> None:
    """Carry a retention job out now. The exit code is 1 if something had to stay, since it is not counted yet.

    \b
    Examples:
      growbin-jobs archive run old_logs --dry-run
      growbin-jobs archive run old_sessions
    """
    from datetime import UTC, datetime

    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    done = bootstrap.cleanup().run(job.value, datetime.now(UTC), dry_run=dry_run)
    if json:
        print_json(as_json(done))
    else:
        for each in done:
            rest = f" {each.refused}" if each.refused else " There is more: run it again." if each.more else ""
            say(f"{each.source}: {_gone(each, dry_run=dry_run)}{rest}", "red" if each.refused else "")
    if any(each.refused for each in done):
        raise typer.Exit(1)


def _gone(removed: "Removed", *, dry_run: bool) -> str:
    before = f"from before {removed.before:%Y-%m-%d %H:%M} UTC"
    if dry_run:
        return f"{removed.rows} rows (about {removed.size} bytes) {before} would go."
    archived = f" ({removed.size} bytes of archives)" if removed.size else ""
    months = f" {', '.join(removed.partitions)}: dropped as a whole." if removed.partitions else ""
    return f"{removed.rows} rows{archived} {before} are gone.{months}"
