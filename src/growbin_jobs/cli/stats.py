"""``growbin-jobs stats …``: statistics of days, weeks and months."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from growbin_jobs.cli.console import out, print_json, say
from growbin_jobs.cli.journal import Json
from growbin_jobs.cli.person import name_of_person
from growbin_jobs.cli.spoken import heading, spoken

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rich.console import JustifyMethod


class KindName(StrEnum):
    """Kinds of periods."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


Kind = Annotated[KindName, typer.Option(help="Days, ISO weeks or months.")]

#: Columns of the table, by the shortest words that are clear: all of them fit 80 characters.
_COLUMNS: Final = {
    "period": "period", "total_users": "users", "active_users": "active", "total_agents": "agents",
    "production_agents": "live", "total_sessions": "sessions", "total_api_calls": "calls", "failed_api_calls": "failed",
}  # fmt: skip


def show(
    kind: Kind = KindName.DAILY,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 14,
    json: Json = False,
) -> None:
    """Show the newest statistics. Money is in US dollars, in JSON in millionths of one.

    \b
    Examples:
      growbin-jobs stats show
      growbin-jobs stats show --kind weekly --limit 4
      growbin-jobs stats show --json | jq '.[0].llm_usage.by_model'
    """
    from growbin_jobs.cli.rows import print_rows
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    rows = bootstrap.statistics().show(kind.value, limit)
    if json:
        print_json(as_json(rows))
        return
    if not rows:
        say(spoken("Nothing is counted yet. Count what there is: growbin-jobs stats backfill --from 2026-11-01"))
        return
    columns: dict[str, JustifyMethod] = dict.fromkeys((*_COLUMNS.values(), "p95 ms", "$"), "right")
    print_rows(f"{kind.value}, {rows[0]['zone']}", columns | {"period": "left"}, [_cells(row) for row in rows])
    if any(row["stale"] for row in rows):
        say(spoken("* Facts came late: counted anew at the next daily run, or by growbin-jobs stats backfill."))


def _cells(row: dict[str, Any]) -> list[str]:
    p95 = row["latency"]["p95_ms"]
    numbers = [str(row[name]) + ("*" if name == "period" and row["stale"] else "") for name in _COLUMNS]
    return [*numbers, "–" if p95 is None else f"{p95:.0f}", f"{row['llm_usage']['cost'] / 1e6:.2f}"]


def backfill(
    since: Annotated[str, typer.Option("--from", help="First day, such as 2026-03-01.")],
    until: Annotated[str | None, typer.Option("--to", help="Last day. Default: the one that ended last.")] = None,
    kind: Kind = KindName.DAILY,
    json: Json = False,
) -> None:
    """Count periods again. One whose facts were deleted is refused, and its row stays; then the exit code is 1.

    \b
    Examples:
      growbin-jobs stats backfill --from 2026-11-01
      growbin-jobs stats backfill --kind monthly --from 2026-01-01 --to 2026-06-30
    """
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    zone = _zone()
    first, end = _span(since, until or f"{datetime.now(zone):%Y-%m-%d}", zone)
    done = list(bootstrap.statistics().backfill(kind.value, first, end))
    if until is None:
        done = [each for each in done if each.outcome != "not ended"]
    refused = [each for each in done if each.outcome == "refused"]
    if json:
        print_json(as_json(done))
    else:
        for each in refused:
            values = {"period": each.period, "tables": ", ".join(each.gone)}
            say(spoken("{period}: refused, older rows of {tables} are deleted.", **values), "bold red")
        for each in done:
            if each.outcome == "not ended":
                say(spoken("{period}: it has not ended.", period=each.period))
        counted = sum(each.outcome == "counted" for each in done)
        say(spoken("{number} of {all} periods are counted.", number=counted, all=len(done)))
    if refused:
        raise typer.Exit(1)


def explain(
    period: Annotated[str, typer.Argument(help="2026-11-27, 2026-W48 or 2026-11.")], json: Json = False
) -> None:
    """Count a period once more from its facts alone, and compare each number. The exit code is 1 if one differs.

    \b
    Examples:
      growbin-jobs stats explain 2026-11-27
      growbin-jobs stats explain --json 2026-11 | jq '.[] | select(.stored != .facts)'
    """
    from rich.table import Table

    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    compared = bootstrap.statistics().explain(period)
    lost = bootstrap.losses().accepted(*bootstrap.statistics().bounds(period))
    if json:
        print_json(as_json(compared))
    else:
        table = Table(title=period)
        for name in ("number", "stored", "from facts"):
            table.add_column(heading(name), justify="left" if name == "number" else "right")
        for each in compared:
            facts = spoken("deleted") if each.facts is None else str(each.facts)
            table.add_row(each.name, str(each.stored), facts, style="bold red" if each.agrees is False else "")
        out.print(table)
        for loss in lost:
            facts = "late facts" if loss["facts"] is None else f"{loss['facts']} late {loss['source']}"
            say(f"Not counted, as {loss['accepted_by']} accepted on {loss['accepted_at']:%Y-%m-%d}: {facts}.")
    if any(each.agrees is False for each in compared):
        raise typer.Exit(1)


def accept_loss(
    since: Annotated[str, typer.Option("--from", help="First day, such as 2026-03-01.")],
    until: Annotated[str | None, typer.Option("--to", help="Last day. Default: the first one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is refused.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Accept that late facts are never counted, since older facts of the same time are deleted. Keeps a record.

    The daily run reports such slots and rows as refused, and retention keeps their facts, until somebody accepts it.
    Rows stay as they are. What can still be counted is not touched.

    \b
    Examples:
      growbin-jobs stats accept-loss --from 2026-03-01 --to 2026-03-31 --dry-run
      growbin-jobs stats accept-loss --from 2026-03-14 --yes
    """
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    zone = _zone()
    begin, end = _span(since, until or since, zone)
    losses = bootstrap.losses().refused(begin, end)
    if losses and not dry_run:
        _ask(len(losses), yes=yes)
        losses = bootstrap.losses().accept(begin, end, by=name_of_person())
    if json:
        print_json(as_json(losses))
        return
    for each in losses:
        facts = "its row stays as it is" if each.facts is None else f"{each.facts} facts"
        say(f"{each.source}, {each.since.astimezone(zone):%Y-%m-%d %H:%M %Z}: {facts}")
    say(f"{len(losses)} {'are refused' if dry_run else 'are accepted as not counted'}.")


def _ask(count: int, *, yes: bool) -> None:
    import sys

    from growbin_jobs.errors import ConfigurationError

    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{count} slots and rows are refused. Add --yes where nobody can be asked.")
    typer.confirm(f"Accept that {count} slots and rows lack late facts for good?", abort=True, err=True)


def _zone() -> "ZoneInfo":
    from zoneinfo import ZoneInfo

    from growbin_jobs import settings

    return ZoneInfo(settings.current().timezone)


def _span(since: str, until: str, zone: "ZoneInfo") -> tuple[datetime, datetime]:
    """Return the begin of the first day and the end of the last one."""
    from growbin_jobs.cli.days import check_order, first_day
    from growbin_jobs.platform.measures.periods import start_of_day

    first, last = first_day(since, zone.key), first_day(until, zone.key)
    check_order(first, last)
    return start_of_day(first, zone), start_of_day(last + timedelta(days=1), zone)
