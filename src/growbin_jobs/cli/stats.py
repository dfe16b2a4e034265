"""``growbin-jobs stats …``: statistics of days, weeks and months."""

from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.console import out, print_json, say
from growbin_jobs.cli.journal import Json

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


class KindName(StrEnum):
    """Kinds of periods."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


Kind = Annotated[KindName, typer.Option(help="Days, ISO weeks or months.")]

_COLUMNS = (
    "period", "total_users", "active_users", "total_agents", "production_agents", "total_sessions", "total_api_calls",
    "failed_api_calls",
)  # fmt: skip


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
    from rich.table import Table

    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    rows = bootstrap.statistics().show(kind.value, limit)
    if json:
        print_json(as_json(rows))
        return
    if not rows:
        say("Nothing is counted yet. Count what there is: growbin-jobs stats backfill --from 2026-11-01")
        return
    table = Table(title=f"{kind.value}, {rows[0]['zone']}")
    for name in (*_COLUMNS, "p95 ms", "cost $"):
        table.add_column(name.replace("_", " "), justify="left" if name == "period" else "right")
    for row in rows:
        p95 = row["latency"]["p95_ms"]
        numbers = [str(row[name]) + ("*" if name == "period" and row["stale"] else "") for name in _COLUMNS]
        table.add_row(*numbers, "–" if p95 is None else f"{p95:.0f}", f"{row['llm_usage']['cost'] / 1e6:.4f}")
    out.print(table)
    if any(row["stale"] for row in rows):
        say("* Facts came late: the row is counted anew at the next daily run, or by growbin-jobs stats backfill.")


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
    from datetime import UTC, timedelta
    from zoneinfo import ZoneInfo

    from growbin_jobs import settings
    from growbin_jobs.operations.json_ready import as_json
    from growbin_jobs.platform import bootstrap

    zone = ZoneInfo(settings.current().timezone)
    first = _day(since, zone)
    end = _day(until, zone) + timedelta(days=1) if until else datetime.now(UTC).astimezone(zone)
    done = list(bootstrap.statistics().backfill(kind.value, first, end))
    refused = [each for each in done if each.outcome == "refused"]
    if json:
        print_json(as_json(done))
    else:
        for each in refused:
            say(f"{each.period}: refused, older rows of {', '.join(each.gone)} are deleted.", "bold red")
        say(f"{sum(each.outcome == 'counted' for each in done)} of {len(done)} periods are counted.")
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
    if json:
        print_json(as_json(compared))
    else:
        table = Table(title=period)
        for name in ("number", "stored", "from facts"):
            table.add_column(name, justify="left" if name == "number" else "right")
        for each in compared:
            facts = "deleted" if each.facts is None else str(each.facts)
            table.add_row(each.name, str(each.stored), facts, style="bold red" if each.agrees is False else "")
        out.print(table)
    if any(each.agrees is False for each in compared):
        raise typer.Exit(1)


def _day(text: str, zone: "ZoneInfo") -> Any:
    from growbin_jobs.errors import Permanent

    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Permanent("request_invalid", detail="a day is written as 2026-11-27") from None
    return datetime(day.year, day.month, day.day, tzinfo=zone)
